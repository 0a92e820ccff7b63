/**
 * Owns servers with machines for tests, in this process: their calls over HTTP, and their log.
 *
 * **Invariants**
 * - A server is stopped when its test disposes of it; a test that fails leaves none.
 */
import { expect } from "bun:test";
import pino from "pino";
import { readConfig } from "../../src/config.ts";
import { plainError, type Log } from "../../src/log.ts";
import type { Machine } from "../../src/machines/machine.ts";
import { createServer, type RunningServer } from "../../src/server.ts";
import { ask, expectStatus, type Answer, type Asking, type Ports, type WireOrder } from "./http.ts";
import { sharedRedis } from "./redis.ts";
import { until } from "./until.ts";

interface Serving {
  readonly machines: readonly Machine[];
  readonly environment?: Readonly<Record<string, string>>;
}

export class MachineServer implements Ports, AsyncDisposable {
  readonly customers: string;
  readonly baristas: string;
  /** Each line of the log, read. */
  readonly lines: readonly Record<string, unknown>[];
  readonly stop: () => Promise<readonly Error[]>;

  private constructor(server: RunningServer, lines: readonly Record<string, unknown>[]) {
    this.customers = server.customers.replace("localhost", "127.0.0.1");
    this.baristas = server.baristas;
    this.lines = lines;
    this.stop = () => server.stop();
  }

  static async open({ machines, environment }: Serving): Promise<MachineServer> {
    const lines: Record<string, unknown>[] = [];
    const config = readConfig({
      REDIS_URL: (await sharedRedis()).url,
      SHOP: `test-${crypto.randomUUID()}`,
      CUSTOMER_HOST: "127.0.0.1",
      CUSTOMER_PORT: "0",
      BARISTA_PORT: "0",
      DRAIN_SECONDS: "5",
      ...environment,
    });
    return new MachineServer(await createServer(config, { log: logInto(lines), machines }), lines);
  }

  /** The lines about failures of machines. */
  get failures(): readonly Record<string, unknown>[] {
    return this.lines.filter(({ msg }) => msg === "a machine failed an order");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    expect(await this.stop()).toEqual([]);
  }
}

/** A log whose lines are kept: errors stand in it as in the server's. */
function logInto(lines: Record<string, unknown>[]): Log {
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return pino({ base: null, serializers: { err: (error: unknown) => plainError(error, []) } }, { write });
}

/** POST /queue/:queue/, held unless `asking` says otherwise. */
export function call(
  { customers }: Pick<Ports, "customers">,
  queue: string,
  input: unknown,
  asking: Asking = {},
): Promise<Answer> {
  return ask(`${customers}/queue/${queue}/`, { method: "POST", json: input, ...asking });
}

/** The order of a call that was answered under that status. */
export function orderOf(answer: Answer, status = 200): WireOrder {
  expectStatus(answer, status);
  return answer.body as WireOrder;
}

/** Calls without waiting, and resolves to the order's id. */
export async function callLater(ports: Pick<Ports, "customers">, queue: string, input: unknown): Promise<string> {
  const answer = await call(ports, queue, input, { headers: { Prefer: "respond-async" } });
  return orderOf(answer, 202).order_id;
}

/** The order as it is now. */
export async function look({ customers }: Pick<Ports, "customers">, orderId: string): Promise<WireOrder> {
  return orderOf(await ask(`${customers}/order/${orderId}`));
}

/** The order once it is final. */
export async function endOf({ customers }: Pick<Ports, "customers">, orderId: string): Promise<WireOrder> {
  return orderOf(await ask(`${customers}/order/${orderId}?wait=20`));
}

/** The order once it is in that state. */
export async function untilStatus(
  ports: Pick<Ports, "customers">,
  orderId: string,
  status: WireOrder["status"],
): Promise<WireOrder> {
  let found = await look(ports, orderId);
  await until(async () => (found = await look(ports, orderId)).status === status, `${orderId} is ${status}`);
  return found;
}
