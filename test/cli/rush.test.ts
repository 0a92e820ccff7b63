/** Owns the test of the two simulators at work, against a shop whose staff have changed the menu. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask, expectStatus } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { deleteCoffee, putCoffee, readMenu } from "../support/shop.ts";

setDefaultTimeout(90_000);

const CUSTOMERS = 12;

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
}

async function run(name: string, options: Readonly<Record<string, string | number>>): Promise<Run> {
  const argv = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
  const script = join(import.meta.dir, `../../src/cli/${name}.ts`);
  const child = Bun.spawn([process.execPath, script, ...argv], { stdout: "pipe", stderr: "ignore" });
  const [stdout, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
  return { exitCode, stdout };
}

test("with coffees gone from the menu and a new one on it, each customer is served, with what there is", async () => {
  const server = await startServer();
  for (const id of ["americano", "latte"]) expectStatus(await deleteCoffee(server, id), 204);
  const chai = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "" };
  expectStatus(await putCoffee(server, "chai", chai), 201);
  const [customers, baristas] = await Promise.all([
    run("customers", { url: server.customers, "group-min": CUSTOMERS, "group-max": CUSTOMERS, seconds: 60 }),
    run("baristas", {
      url: server.baristas,
      baristas: 3,
      "brew-min-seconds": 0,
      "brew-max-seconds": 0.05,
      orders: CUSTOMERS,
      "idle-seconds": 20,
    }),
  ]);
  expect(customers.stdout).toMatch(new RegExp(`^ +served +${CUSTOMERS} of ${CUSTOMERS}$`, "m"));
  expect(baristas.stdout).toMatch(new RegExp(`^ +finished +${CUSTOMERS}$`, "m"));
  expect([customers.exitCode, baristas.exitCode]).toEqual([0, 0]);
  const menu = (await readMenu(server)).map(({ id }) => id);
  const { body } = await ask(`${server.baristas}/order/?status=ready`);
  for (const { item } of (body as { orders: { item: string }[] }).orders) expect(menu).toContain(item);
  await server.stop();
});
