/** The module that MACHINES names: what it may hold, and that a broken one keeps the server from starting. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { StartError } from "../../src/lifecycle.ts";
import { gatherMachines } from "../../src/machines/load.ts";
import { sharedRedis } from "../support/redis.ts";
import { startRefusedServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "longpour-machines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const src = join(import.meta.dir, "../../src/machines/machine.ts");
const typebox = Bun.resolveSync("@sinclair/typebox", import.meta.dir);
const HEAD = `
  import { Type } from ${JSON.stringify(typebox)};
  import { defineMachine } from ${JSON.stringify(src)};
  const machine = (queue) => defineMachine({ queue, input: Type.Any(), output: Type.Any(), make: (input) => input });
`;

let written = 0;
async function write(body: string, head = HEAD): Promise<string> {
  const path = join(folder, `machines-${(written += 1)}.ts`);
  await Bun.write(path, head + body);
  return path;
}

async function queuesOf(body: string): Promise<string[]> {
  return (await gatherMachines(await write(body))).map(({ queue }) => queue);
}

async function faultOf(path: string): Promise<string> {
  const error: unknown = await gatherMachines(path).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StartError);
  const { message, exitCode } = error as StartError;
  expect(exitCode).toBe(2);
  expect(message.split("\n").length).toBeLessThanOrEqual(2);
  return message.replaceAll(folder, "…");
}

test("each machine that is exported runs: by a name, as the default, in an array, and each once", async () => {
  expect(await queuesOf(`export const one = machine("one"); export default machine("two");`)).toEqual(["two", "one"]);
  expect(await queuesOf(`export const all = [machine("one"), machine("two")]; export const first = all[0];`)).toEqual([
    "one",
    "two",
  ]);
  expect(await queuesOf(`export const one = machine("one"); export const other = 5, text = "x", none = null;`)).toEqual(
    ["one"],
  );
});

test("a path counts from the working directory", async () => {
  const path = relative(".", await write(`export const one = machine("one");`));
  expect(await gatherMachines(path)).toHaveLength(1);
});

test("without a module there are those given in code", async () => {
  const [one] = await gatherMachines(await write(`export const one = machine("one");`));
  expect(await gatherMachines(undefined)).toEqual([]);
  expect(await gatherMachines(undefined, one && [one])).toEqual(one ? [one] : []);
});

test("a broken module is a fault that names it", async () => {
  expect(await faultOf("./nowhere/machines.ts")).toMatch(/^MACHINES: \.\/nowhere\/machines\.ts is no file \(\/.*\)$/);
  expect(await faultOf(folder)).toMatch(/^MACHINES: … is no file/);
  expect(await faultOf(await write(`export const none = 5;`))).toBe(
    `MACHINES: …/machines-${written}.ts exports no machine: export what defineMachine returns`,
  );
  expect(await faultOf(await write(`throw new Error("no database\\nhere");`))).toBe(
    `MACHINES: …/machines-${written}.ts can't be loaded: Error: no database here`,
  );
  expect(await faultOf(await write(`throw "a text";`))).toMatch(/can't be loaded: a text$/);
  expect(await faultOf(await write(`throw "a \\x1b[31mred text";`))).toEndWith(" a [31mred text");
  expect(await faultOf(await write(`throw { toString: () => machine("..") };`))).toEndWith("what can't be read");
  expect(await faultOf(await write(`export const = 5;`))).toMatch(/^MACHINES: …\/machines-\d+\.ts can't be loaded: /);
  expect(await faultOf(await write(`import "./missing.ts";`))).toMatch(/can't be loaded: .*missing/);
  expect(await faultOf(await write(`export const bad = machine("my queue");`))).toMatch(
    /can't be loaded: TypeError: machine: queue "my queue" must be/,
  );
  expect(await faultOf(await write(`export const a = machine("one"), b = machine("one");`))).toBe(
    `…/machines-${written}.ts: two machines have the queue one: give one another queue`,
  );
});

test("a server with a broken module does not start: it says so in one line, with exit code 2", async () => {
  const path = await write(`throw new Error("no database");`);
  const { url } = await sharedRedis();
  const { exitCode, output } = await startRefusedServer({ REDIS_URL: url, MACHINES: path });
  expect({ exitCode, output }).toEqual({
    exitCode: 2,
    output: `longpour: MACHINES: ${path} can't be loaded: Error: no database\n`,
  });
});
