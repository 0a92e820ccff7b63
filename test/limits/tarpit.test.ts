/** Owns the tests of tarpit.ts. */
import { expect, test } from "bun:test";
import { Tarpit } from "../../src/limits/tarpit.ts";

test("who waits is let go again, and who comes when it is full does not wait", async () => {
  const tarpit = new Tarpit();
  const ended: string[] = [];
  const waiting = Array.from({ length: 2000 }, () => tarpit.wait().then(() => ended.push("waited")));
  await tarpit.wait().then(() => ended.push("full"));
  expect(ended).toEqual(["full"]);
  await Promise.all(waiting);
  expect(ended).toHaveLength(2001);
  const again = tarpit.wait().then(() => ended.push("again"));
  await Promise.resolve();
  expect(ended).toHaveLength(2001);
  await again;
});
