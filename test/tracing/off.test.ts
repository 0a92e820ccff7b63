/** Without an endpoint nothing is traced, nothing is kept, and nothing of OpenTelemetry is loaded. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { OtlpReceiver } from "../support/otlp.ts";
import { sharedRedis } from "../support/redis.ts";

setDefaultTimeout(60_000);

async function serveOne(endpoint: string): Promise<{ loaded: number; isKept: boolean }> {
  const { url } = await sharedRedis();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "loaded.ts")], {
    env: { PATH: process.env.PATH, REDIS_URL: url, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    stdin: "ignore",
    stderr: "inherit",
  });
  const [text] = await Promise.all([child.stdout.text(), child.exited]);
  expect(child.exitCode).toBe(0);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as { loaded: number; isKept: boolean };
}

test("a server that does not trace loads nothing for it, and takes no traceparent up", async () => {
  expect(await serveOne("")).toEqual({ loaded: 0, isKept: false });
});

test("one that traces loads it", async () => {
  await using receiver = new OtlpReceiver();
  const { loaded, isKept } = await serveOne(receiver.url);
  expect(loaded).toBeGreaterThan(0);
  expect(isKept).toBe(true);
  expect(receiver.spans).toHaveLength(5);
});
