/**
 * Owns Swagger UI of a port, and where its OpenAPI document is served.
 *
 * **Invariants**
 * - Every file of the page comes from this server's disk, under a strict Content-Security-Policy.
 * - Files are read, and the document is built, once: when they are first asked for.
 */
import { dirname, join } from "node:path";
import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import { OPEN } from "./gate.ts";
import { completeDocument, type Described, type PortDescription } from "./openapi.ts";
import { makeReady } from "./ready-file.ts";
import { once, page, serving, type FindFile } from "./static-file.ts";

const folder = dirname(Bun.resolveSync("swagger-ui-dist/package.json", import.meta.dir));

// Swagger UI sets style attributes and shows its icons as data: URLs.
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Longpour</title>
    <link rel="icon" type="image/png" href="/swagger/favicon-32x32.png">
    <link rel="stylesheet" href="/swagger/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/swagger/swagger-ui-bundle.js"></script>
    <script src="/swagger/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/swagger/json", dom_id: "#swagger-ui", deepLinking: true, displayRequestDuration: true, persistAuthorization: false });
`;

/** Files of Swagger UI's own; both ports share them. */
const ownFile = (name: string, type: string): FindFile =>
  page(() => Bun.file(join(folder, name)).bytes(), { type, policy: CONTENT_SECURITY_POLICY });
const made = (content: string, type: string): FindFile =>
  page(() => content, { type, policy: CONTENT_SECURITY_POLICY });
const STYLE = ownFile("swagger-ui.css", "text/css");
const BUNDLE = ownFile("swagger-ui-bundle.js", "text/javascript");
const ICON = ownFile("favicon-32x32.png", "image/png");

/** `/swagger` and `/swagger/json`. To be used before the routes it describes. */
export function swaggerRoutes(port: PortDescription) {
  const plugin = swagger({ path: "/swagger", exclude: [/^\/swagger/] });
  // A route added after the plugin's, under the same path, wins: the plugin's page would load from a CDN, and its
  // document is built anew for each request. None of them shows anything of the shop.
  return new Elysia({ detail: { hide: true, ...OPEN } })
    .use(plugin)
    .get("/swagger", serving(made(PAGE, "text/html; charset=utf-8")))
    .get("/swagger/start.js", serving(made(START, "text/javascript")))
    .get("/swagger/swagger-ui.css", serving(STYLE))
    .get("/swagger/swagger-ui-bundle.js", serving(BUNDLE))
    .get("/swagger/favicon-32x32.png", serving(ICON))
    .get("/swagger/json", serving(document(plugin, port)));
}

/** The document that the plugin builds of all routes, completed. */
function document(plugin: { handle(request: Request): Promise<Response> }, port: PortDescription): FindFile {
  return once(async () => {
    const built = await plugin.handle(new Request("http://localhost/swagger/json"));
    const text = JSON.stringify(completeDocument((await built.json()) as Described, port));
    return await makeReady(text, { "Content-Type": "application/json" });
  });
}
