import { expect, test } from "bun:test";
import { createApp } from "../../src/http/app.ts";
import { createLog } from "../../src/log.ts";

const log = createLog({ level: "silent", terminal: false });

test("what comes before a route is done at once: no request waits a turn for it", () => {
  const app = createApp(log, { guard: { check: () => undefined }, admit: () => undefined }).get(
    "/",
    () => new Response("here"),
  );
  expect(app.fetch(new Request("http://localhost/"))).toBeInstanceOf(Response);
});
