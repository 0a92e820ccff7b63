/** Owns the test of the two simulators at work, against a shop whose staff have changed the menu. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectStatus } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { deleteCoffee, putCoffee, readMenu } from "../support/shop.ts";
import { run } from "./program.ts";

setDefaultTimeout(90_000);

const CUSTOMERS = 12;

const simulate = (name: string, options: Readonly<Record<string, string | number>>) =>
  run(name, ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]));

test("with coffees gone from the menu and a new one on it, each customer is served, with what there is", async () => {
  const server = await startServer();
  for (const id of ["americano", "latte"]) expectStatus(await deleteCoffee(server, id), 204);
  const chai = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "" };
  expectStatus(await putCoffee(server, "chai", chai), 201);
  const [customers, baristas] = await Promise.all([
    simulate("customers", { url: server.customers, "group-min": CUSTOMERS, "group-max": CUSTOMERS, seconds: 60 }),
    simulate("baristas", {
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
