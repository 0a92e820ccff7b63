/**
 * A real server that may open few files: what it says at start, and what it does when connections have taken them all.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { ask, expectOrder, expectStatus, order, place, start, applyVerb, untilHeld } from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

let redis: TestRedis;

beforeAll(async () => {
  redis = await TestRedis.start();
});

afterAll(() => redis.stop());

const OPEN_FILES = 256;
const LANES = "16";

function startBounded(): Promise<Server> {
  return startServer({ REDIS_URL: redis.url, LANES }, { openFiles: OPEN_FILES });
}

function warnings({ log }: Server): string[] {
  return log().flatMap(({ level, msg }) => (level === "warn" ? [String(msg)] : []));
}

/** Connections that never send anything. */
function openIdle(url: string, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {});
    return socket;
  });
}

/** Processor time so far, in all of the server's threads. */
function processorMs({ process: { pid } }: Server): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  // Clock ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

test("a limit that MAX_HELD does not fit under is named at start, with the number that fits", async () => {
  const server = await startBounded();
  const [warning = ""] = warnings(server);
  expect(warning).toContain("MAX_HELD is 20000");
  expect(warning).toContain(`${OPEN_FILES} files`);
  const fitting = /set MAX_HELD to (\d+) or less/.exec(warning)?.[1] ?? "none";
  await server.stop();

  const fits = await startServer({ REDIS_URL: redis.url, LANES, MAX_HELD: fitting }, { openFiles: OPEN_FILES });
  expect(warnings(fits)).toEqual([]);
  await fits.stop();
});

test("out of file descriptors: it stays calm and says so once, orders are finished, and later customers are served", async () => {
  const server = await startBounded();
  const atStart = warnings(server).length;
  const held = order(server);
  await untilHeld(server, 1);
  const { order_id } = await start(server);

  const idle = openIdle(server.customers, 2 * OPEN_FILES);
  await until(() => warnings(server).length > atStart, "the shortage is logged");
  const spentMs = processorMs(server);
  const measuredMs = 1000;
  await Bun.sleep(measuredMs);
  expect(processorMs(server) - spentMs).toBeLessThan(measuredMs / 2);

  // Connections to Redis come out of the reserve, and so do baristas.
  const killer = redis.connect();
  await killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  killer.disconnect();
  expectOrder(await applyVerb(server, "finish", order_id), { order_id, status: "ready" });
  expectOrder(await held, { order_id, status: "ready" });

  for (const socket of idle) socket.destroy();
  const isServed = async (): Promise<boolean> => {
    const answer = await ask(`${server.customers}/shop`).catch(() => undefined);
    if (answer) expectStatus(answer, 200);
    return answer !== undefined;
  };
  await until(isServed, "new customers are served", 20_000);
  await place(server);
  expect(warnings(server).filter((warning) => warning.includes("file descriptors"))).toHaveLength(1);
  expect(await server.stop()).toBe(0);
});
