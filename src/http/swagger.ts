/**
 * Owns Swagger UI and the OpenAPI document of a port.
 *
 * **Invariants**
 * - Every file of the page comes from this server's disk, under a strict Content-Security-Policy.
 * - Files are read, and the document is built, once: when they are first asked for.
 */
import { dirname, join } from "node:path";
import { swagger } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import type { ProblemName } from "../problem.ts";
import { describeEverywhere, type Described } from "./documented.ts";
import { OPEN } from "./gate.ts";
import { answerReady, makeReady, type ReadyFile } from "./ready-file.ts";

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
const ownFile = (name: string, type: string): FindFile => page(Bun.file(join(folder, name)), type);
const STYLE = ownFile("swagger-ui.css", "text/css");
const BUNDLE = ownFile("swagger-ui-bundle.js", "text/javascript");
const ICON = ownFile("favicon-32x32.png", "image/png");

export interface SwaggerSettings {
  readonly title: string;
  readonly description: string;
  /** Whether the port asks for a bearer token. */
  readonly authorized: boolean;
  /** What each route of the port may answer beside what it says itself. */
  readonly everywhere?: readonly ProblemName[];
}

/** `/swagger` and `/swagger/json`. To be used before the routes it describes. */
export function swaggerRoutes({ title, description, authorized, everywhere = [] }: SwaggerSettings) {
  const bearer = { securitySchemes: { bearer: { type: "http" as const, scheme: "bearer" } } };
  const plugin = swagger({
    path: "/swagger",
    exclude: [/^\/swagger/],
    documentation: {
      info: { title, description, version: "0.1.0" },
      ...(authorized ? { components: bearer, security: [{ bearer: [] }] } : undefined),
    },
  });
  // A route added after the plugin's, under the same path, wins: the plugin's page would load from a CDN, and its document is built
  // anew for each request. None of them tells anything of the shop.
  return new Elysia({ detail: { hide: true, ...OPEN } })
    .use(plugin)
    .get("/swagger", serving(page(PAGE, "text/html; charset=utf-8")))
    .get("/swagger/start.js", serving(page(START, "text/javascript")))
    .get("/swagger/swagger-ui.css", serving(STYLE))
    .get("/swagger/swagger-ui-bundle.js", serving(BUNDLE))
    .get("/swagger/favicon-32x32.png", serving(ICON))
    .get("/swagger/json", serving(document(plugin, everywhere)));
}

type FindFile = () => Promise<ReadyFile>;

/** Answers with a file that is made ready when it is first asked for. */
function serving(find: FindFile) {
  return async ({ request }: { request: Request }): Promise<Response> => answerReady(await find(), request);
}

/** The document that the plugin builds of all routes, with what every one of them may answer. */
function document(
  plugin: { handle(request: Request): Promise<Response> },
  everywhere: readonly ProblemName[],
): FindFile {
  return once(async () => {
    const built = await plugin.handle(new Request("http://localhost/swagger/json"));
    const text = JSON.stringify(describeEverywhere((await built.json()) as Described, everywhere));
    return await makeReady(text, { "Content-Type": "application/json" });
  });
}

function page(content: string | Blob, type: string): FindFile {
  return once(async () => {
    const plain = typeof content === "string" ? content : await content.bytes();
    return await makeReady(plain, {
      "Content-Type": type,
      "Content-Security-Policy": CONTENT_SECURITY_POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    });
  });
}

/** Everybody who asks meanwhile waits for the same making; after one that failed, the next request tries again. */
function once(make: () => Promise<ReadyFile>): FindFile {
  let making: Promise<ReadyFile> | undefined;
  return () => {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  };
}
