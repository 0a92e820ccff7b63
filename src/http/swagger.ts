/**
 * Owns Swagger UI and the OpenAPI document of a port.
 * Always holds: every file of the page comes from this server's disk, under a strict Content-Security-Policy.
 */
import { dirname, join } from "node:path";
import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import { OPEN } from "./gate.ts";

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

export interface SwaggerSettings {
  readonly title: string;
  readonly description: string;
  /** Whether the port asks for a bearer token. */
  readonly authorized: boolean;
}

/** `/swagger` and `/swagger/json`. To be used before the routes it describes. */
export function swaggerRoutes({ title, description, authorized }: SwaggerSettings) {
  const bearer = { securitySchemes: { bearer: { type: "http" as const, scheme: "bearer" } } };
  const plugin = swagger({
    path: "/swagger",
    exclude: [/^\/swagger/],
    documentation: {
      info: { title, description, version: "0.1.0" },
      ...(authorized ? { components: bearer, security: [{ bearer: [] }] } : undefined),
    },
  });
  // A route added after the plugin's, under the same path, wins: the plugin's page would load from a CDN.
  // None of them tells anything of the shop.
  return new Elysia({ detail: { hide: true, ...OPEN } })
    .use(plugin)
    .get("/swagger", () => page(PAGE, "text/html; charset=utf-8"))
    .get("/swagger/start.js", () => page(START, "text/javascript"))
    .get("/swagger/swagger-ui.css", () => page(fileOf("swagger-ui.css"), "text/css"))
    .get("/swagger/swagger-ui-bundle.js", () => page(fileOf("swagger-ui-bundle.js"), "text/javascript"))
    .get("/swagger/favicon-32x32.png", () => page(fileOf("favicon-32x32.png"), "image/png"));
}

/** A file of Swagger UI's own. */
function fileOf(name: string): Blob {
  return Bun.file(join(folder, name));
}

function page(body: string | Blob, type: string): Response {
  return new Response(body, {
    headers: {
      "Content-Type": type,
      "Content-Security-Policy": CONTENT_SECURITY_POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cache-Control": "no-cache",
    },
  });
}
