/** What a rule's line in the log says of an event. */
import { expect, test } from "bun:test";
import pino from "pino";
import { HostList } from "../../src/host-list.ts";
import { createTarget } from "../../src/rules/targets.ts";
import { WebhookSender } from "../../src/webhooks/sender.ts";

const event = { id: "1763631000120-17", type: "order.started", orderId: "a", data: "{}" };

/** The members of the line that are neither of the event itself nor of every line. */
async function logged(data: string): Promise<object> {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Readonly<Record<string, unknown>>) },
  );
  const sender = new WebhookSender({ allowed: HostList.of("") });
  const { deliver } = createTarget("audit", { kind: "log" }, { shop: "main", log, sender, needsData: false });
  expect(await deliver({ ...event, data }, AbortSignal.timeout(30_000))).toEqual({ kind: "delivered" });
  const [{ level: _level, time: _time, msg, rule, event: id, type, order_id: orderId, ...more } = {}] = lines;
  expect([msg, rule, id, type, orderId]).toEqual(["an event", "audit", event.id, event.type, "a"]);
  return more;
}

test.each([
  ['{"status":"cancelled","reason":"no_show","note":"hot"}', { status: "cancelled", reason: "no_show" }],
  ['{"status":"Hello there","reason":7}', {}],
  ['{"status":"brewing","data":{"status":"mine","reason":"mine"}}', { status: "brewing" }],
  ['{"note":"\\",\\"status\\":\\"mine\\""}', {}],
  ["no JSON", {}],
])("of %s it takes states alone", async (data, states) => {
  expect(await logged(data)).toEqual(states);
});
