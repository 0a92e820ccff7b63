/** A subscription that would last too long is cut, and nothing of it is left. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createBuilder } from "../../src/api/graphql/builder.ts";
import { createServe } from "../../src/api/graphql/serve.ts";
import { FeedSource } from "../../src/api/graphql/feed-source.ts";
import { Tally } from "../../src/tally.ts";
import { FeedFixture } from "../events/feeds.ts";
import { silent } from "../support/redis.ts";
import { openByGet } from "./streams.ts";

setDefaultTimeout(60_000);

test("without its last frame: its client comes back", async () => {
  await using fixture = await FeedFixture.open();
  const feed = await fixture.feed();
  let released = 0;
  const builder = createBuilder();
  builder.queryType({ fields: (t) => ({ none: t.boolean({ nullable: true, resolve: () => null }) }) });
  builder.subscriptionType();
  builder.subscriptionField("waited", (t) =>
    t.boolean({
      subscribe: async () => {
        const outcome = await feed.subscribe();
        if (outcome.kind !== "subscribed") throw new Error(outcome.kind);
        const { subscription } = outcome;
        const wanted = { orderId: "a", until: ["payment.captured"] };
        const release = (): void => void (released += 1);
        return new FeedSource({ kind: "live", subscription, wanted, longestMs: 20, release });
      },
      resolve: () => true,
    }),
  );
  const serve = createServe({
    createSchema: () => builder.toSchema(),
    heartbeatSeconds: 30,
    readTraceparent: () => undefined,
    faults: new Tally(),
    log: silent,
  });
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (request, here) => serve({ server: here, request }, "127.0.0.1"),
  });
  const stream = await openByGet(`http://127.0.0.1:${server.port}`, "subscription { waited }", {});
  const text = await stream.text();
  expect([text.startsWith("retry:"), text.includes("complete")]).toEqual([true, false]);
  expect([released, feed.listeners]).toEqual([1, 0]);
});
