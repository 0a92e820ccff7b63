/**
 * Owns the life of a feed and its streams, without the rest of a server: listened to in every way, closed as
 * src/main.ts does. Run as a program (Redis's URL, shop) it must end by itself: nothing it opened may keep it alive.
 */
import { EventFeed } from "../../src/events/feed.ts";
import { createEventStreams } from "../../src/http/events.ts";
import { openRedis } from "../../src/redis/connections.ts";
import { silent } from "../support/redis.ts";
import { EventClient } from "./client.ts";

/** Resolves once all is closed. */
export async function wholeLife(url: string, shop: string): Promise<void> {
  const redis = await openRedis({ address: { url }, shop, outageSeconds: 5, log: silent });
  const feed = new EventFeed(redis, shop);
  const streamEvents = createEventStreams();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: async (request, self) => {
      const outcome = await feed.subscribe();
      if (outcome.kind !== "subscribed") throw new Error(outcome.kind);
      const after = request.headers.get("last-event-id") ?? undefined;
      return streamEvents({
        connection: { server: self, request },
        subscription: outcome.subscription,
        wanted: {},
        after,
      });
    },
  });
  const where = String(server.url);
  const clients = await Promise.all(
    [undefined, "0-0", undefined, "0-0"].map((after) => EventClient.open(where, after)),
  );
  clients[0]?.hangUp();
  clients[1]?.hangUp();
  feed.close();
  for (const client of clients.slice(2)) await client.untilOver();
  redis.close();
  await server.stop();
}

if (import.meta.main) {
  const [url = "", shop = ""] = process.argv.slice(2);
  await wholeLife(url, shop);
  process.stdout.write("closed\n");
}
