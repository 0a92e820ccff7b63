/**
 * Owns GraphiQL of a port: the page on which a person asks `/graphql`.
 *
 * **Invariants**
 * - Every file of the page comes from this server's disk, under a strict Content-Security-Policy.
 * - Its library is loaded, and a file made, when it is first asked for.
 */
import type * as GraphiQL from "@graphql-yoga/render-graphiql/graphiql";
import { Elysia } from "elysia";
import { OPEN } from "./gate.ts";
import { page, serving, type FindFile } from "./static-file.ts";

// Its editor sets style attributes, and shows fonts and icons as data: URLs. Its checks run in workers.
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Longpour: GraphQL</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/graphiql/graphiql.css">
  </head>
  <body class="no-focus-outline">
    <div id="root"></div>
    <script src="/graphiql/workers.js"></script>
    <script src="/graphiql/graphiql.js"></script>
    <script src="/graphiql/start.js"></script>
  </body>
</html>
`;

const WORKERS = `self.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) => "/graphiql/" + label + ".worker.js",
};
`;

const START = `YogaGraphiQL.renderYogaGraphiQL(document.getElementById("root"), {
  endpoint: "/graphql",
  title: "Longpour: GraphQL",
  subscriptionsProtocol: "SSE",
  shouldPersistHeaders: false,
  defaultQuery: "{ getCoffees { id name price available } }",
});
`;

const own = (name: keyof typeof GraphiQL, type: string): FindFile =>
  page(async () => (await import("@graphql-yoga/render-graphiql/graphiql"))[name], {
    type,
    policy: CONTENT_SECURITY_POLICY,
  });
const made = (content: string, type: string): FindFile =>
  page(() => content, { type, policy: CONTENT_SECURITY_POLICY });

const SCRIPT = "text/javascript";

/** Both ports share them. */
const FILES: Readonly<Record<string, FindFile>> = {
  "/graphiql": made(PAGE, "text/html; charset=utf-8"),
  "/graphiql/workers.js": made(WORKERS, SCRIPT),
  "/graphiql/start.js": made(START, SCRIPT),
  "/graphiql/graphiql.css": own("css", "text/css"),
  "/graphiql/graphiql.js": own("js", SCRIPT),
  "/graphiql/editorWorkerService.worker.js": own("editorWorkerService", SCRIPT),
  "/graphiql/json.worker.js": own("jsonWorker", SCRIPT),
  "/graphiql/graphql.worker.js": own("graphqlWorker", SCRIPT),
};

/** `/graphiql` and its files. They show nothing of the shop: its reader sends the token, where there is one. */
export function graphiqlRoutes() {
  const app = new Elysia({ detail: { hide: true, ...OPEN } });
  for (const [path, file] of Object.entries(FILES)) app.get(path, serving(file));
  return app;
}
