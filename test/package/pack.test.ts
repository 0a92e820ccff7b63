/** The package in a fresh project, as its users have it. The programs are those of docs/embedding.md, unchanged. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createClient, work, type Handler } from "../../src/client/index.ts";
import { useBrowser } from "../support/browser.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { soon, until } from "../support/until.ts";
import { FreshProject } from "./project.ts";

setDefaultTimeout(120_000);

const root = join(import.meta.dir, "../..");
const browser = useBrowser();
let project: FreshProject;
let programs: ReadonlyMap<string, string>;

beforeAll(async () => {
  project = await FreshProject.create();
  programs = readPrograms(await Bun.file(join(root, "docs/embedding.md")).text());
  for (const [name, text] of programs) await project.write(name, text);
});

afterAll(() => project[Symbol.dispose]());

/** The programs in a document, by the name in their first line. */
function readPrograms(document: string): Map<string, string> {
  const blocks = document.matchAll(/^```ts\n\/\/ ([\w-]+\.ts)\n(.*?)^```$/gms);
  return new Map(Array.from(blocks, ([, name = "", text = ""]) => [name, text]));
}

const STRICT = {
  target: "ESNext",
  module: "ESNext",
  moduleResolution: "bundler",
  strict: true,
  skipLibCheck: false,
  noEmit: true,
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  lib: ["ESNext"],
  types: ["bun"],
};
const NODE_NEXT = { module: "nodenext", moduleResolution: "nodenext" };
const IN_A_PAGE = { lib: ["ESNext", "DOM"], types: [] };

async function typeCheck(files: readonly string[], options: object = {}, compiler = "tsc"): Promise<void> {
  await project.write("tsconfig.json", JSON.stringify({ compilerOptions: { ...STRICT, ...options }, files }));
  const { exitCode, output } = await project.run([
    process.execPath,
    join(root, "node_modules/.bin", compiler),
    "-p",
    ".",
  ]);
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" });
}

test("the settings that its documents name are in it", async () => {
  const installed = join(project.folder, "node_modules/longpour");
  expect(await Bun.file(join(installed, "docs/embedding.md")).text()).toContain("(../.env.example)");
  expect(await Bun.file(join(installed, ".env.example")).text()).toContain("CUSTOMER_PORT=");
});

/** What must not compile: each line that does is a fault. */
const WRONG = `
import { createServer, defineMachine, Type, type Settings } from "longpour";
import { createClient, work } from "longpour/client";
import { greeter } from "./machines.ts";

const client = createClient({ url: "" });
// @ts-expect-error: no name
await client.call(greeter, {});
// @ts-expect-error: a name is text
await client.call<typeof greeter>("greeter", { name: 1 });
const order = await client.call(greeter, { name: "Ada" });
// @ts-expect-error: it may be cancelled
order.result.greeting.length;
// @ts-expect-error: there is no such field
if (order.status === "ready") order.result.sum;
// @ts-expect-error: the greeting is missing
await work<typeof greeter>("greeter", () => ({}), { url: "" });
// @ts-expect-error: an order has no such field
(await client.order()).greeting;
// @ts-expect-error: no such setting
await createServer({ settings: { CUSTOMER_PROT: 1 } });
// @ts-expect-error: the sum is missing
defineMachine({ queue: "adder", input: Type.Number(), output: Type.Object({ sum: Type.Number() }), make: () => ({}) });

// And what must.
const settings: Settings = { CUSTOMER_PORT: 0, REDIS_URL: undefined };
await createServer({ settings, machines: [greeter], log: console });
const untyped: unknown = (await client.call("greeter", ["any", { json: true }])).result;
await work(greeter, async ({ name }) => ({ greeting: name.trim() }), { url: "" });
console.log(untyped);
`;

test("its types are whole, and hold what they say", async () => {
  await project.write("wrong.ts", WRONG);
  expect([...programs.keys()]).toEqual(["adding.ts", "machines.ts", "server.ts", "call.ts", "worker.ts"]);
  await typeCheck([...programs.keys(), "wrong.ts"]);
  await typeCheck([...programs.keys(), "wrong.ts"], NODE_NEXT);
});

test("its types need nothing in a page but the browser's own, with an older compiler too", async () => {
  await project.write("page.ts", (programs.get("call.ts") ?? "").replace("process.argv[2]", "location.origin"));
  await typeCheck(["page.ts"], IN_A_PAGE);
  await typeCheck(["page.ts"], { ...IN_A_PAGE, ...NODE_NEXT }, "tsc6");
});

test("a whole program serves a machine and calls it", async () => {
  const { exitCode, output } = await project.run([process.execPath, "adding.ts"]);
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: "the sum is 3\n" });
});

test("its command runs", async () => {
  const { bin } = (await Bun.file(join(project.folder, "node_modules/longpour/package.json")).json()) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  const command = join("node_modules/longpour", bin["longpour"] ?? "");
  const { exitCode, output } = await project.run([process.execPath, command, "call", "--help"]);
  expect(exitCode).toBe(0);
  expect(output).toContain("longpour call");
});

test("an embedded server has its pages, is called from Node and from Bun, and worked for; on SIGTERM it ends", async () => {
  const { url } = await sharedRedis();
  const server = project.start([process.execPath, "server.ts"], { REDIS_URL: url });
  let said = "";
  const reading = (async () => {
    for await (const chunk of server.stdout) said += new TextDecoder().decode(chunk);
  })();
  const opened = (): RegExpExecArray | null => /^open (\S+) (\S+)$/m.exec(said);
  await until(() => opened() !== null || server.exitCode !== null, "the server opens", 30_000);
  const [, customers = "", baristas = ""] = opened() ?? [];

  for (const path of ["/", "/swagger", "/swagger/json"]) expect((await fetch(customers + path)).status).toBe(200);

  const { code } = await transpile("call.ts");
  await project.write("call.mjs", code);
  for (const command of [
    [Bun.which("node") ?? "node", "call.mjs"],
    [process.execPath, "call.ts"],
  ]) {
    expect(await project.run([...command, customers])).toEqual({ exitCode: 0, output: "Hello Ada\n" });
  }

  await project.write("worker.mjs", (await transpile("worker.ts")).code);
  const worker = project.start([Bun.which("node") ?? "node", "worker.mjs", baristas]);
  const order = await createClient({ url: customers }).call("thumbs", { url: `${customers}/livez` });
  const { byteLength } = await (await fetch(`${customers}/livez`)).arrayBuffer();
  expect(order).toMatchObject({ status: "ready", result: { bytes: byteLength } });
  worker.kill("SIGTERM");
  expect(await soon(worker.exited, "the worker ends")).toBe(0);

  server.kill("SIGTERM");
  expect(await soon(server.exited, "the server ends", 30_000)).toBe(0);
  await reading;
});

test("in a browser the client orders and calls", async () => {
  const server = await startServer({ QUEUES: "adder" });
  const page = await (await browser.newDevice()).context.newPage();
  const client = await Bun.file(join(project.folder, "node_modules/longpour/dist/client.js")).text();
  expect(client).not.toMatch(/^import\b|\brequire\(|\bprocess\.|\bBuffer\b|\bBun\.|\bnode:/m);
  await page.route("**/client.js", (route) => route.fulfill({ contentType: "text/javascript", body: client }));
  await page.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: PAGE }));
  await page.goto(`${server.customers}/page`);
  const stop = new AbortController();
  const add: Handler = (input) => (input as [number, number])[0] + (input as [number, number])[1];
  const worked = work("adder", add, { url: server.baristas, signal: stop.signal });
  expect(await page.waitForFunction("window.done").then((done) => done.jsonValue())).toEqual([3, 7]);
  stop.abort();
  await worked;
  await server.stop();
});

/** Two calls at once. */
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import { createClient } from "./client.js";
const customers = createClient({ url: "" });
const calls = [customers.call("adder", [1, 2]), customers.call("adder", [3, 4])];
window.done = (await Promise.all(calls)).map(({ result }) => result);
</script>`;

async function transpile(name: string): Promise<{ readonly code: string }> {
  return { code: await new Bun.Transpiler({ loader: "ts" }).transform(programs.get(name) ?? "") };
}
