/**
 * Owns the kills under payments: orders are paid by card at a test acquirer that declines cards, loses answers, and
 * doubles, delays and drops webhooks, while one of two replicas after the other is killed with SIGKILL.
 *
 * **Invariants**
 * - What is judged at the end is the acquirer's own ledger, against the orders that the shop keeps, and its stats.
 * - All processes are this run's own, and are gone when it ends.
 */
import type { Order } from "../../src/orders/order.ts";
import type { Payment } from "../../src/orders/payment.ts";
import { TestAcquirer, type LedgerRow } from "../support/acquirer.ts";
import { ask, type Answer } from "../support/http.ts";
import { GOOD_CARD, REFUSED_CARD } from "../support/payments.ts";
import { freePort, type TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

const CUSTOMERS = 40;
const BARISTAS = 6;
const KILL_EVERY_MS = 2000;
const INSIST_MS = 60_000;
const SETTLE_MS = 120_000;
/** So many of those who are refused try another card; the others leave, and their time to pay runs out. */
const SECOND_TRY = 0.5;
const REFUNDED = 0.05;
/** Of each intent, in order: what its customer does. */
const DECLINED = 0.1;
const CANCELLED = 0.1;

export interface TillReport {
  readonly orders: number;
  readonly kills: number;
  readonly ready: number;
  readonly cancelled: number;
  readonly declined: number;
  readonly refunded: number;
  readonly violations: readonly string[];
}

interface Options {
  readonly redis: TestRedis;
  readonly orders: number;
  readonly killEveryMs?: number;
  readonly secondsToPay?: number;
}

export async function killAtTheTill(options: Options): Promise<TillReport> {
  const { redis, orders, killEveryMs = KILL_EVERY_MS, secondsToPay = 15 } = options;
  const acquirer = await TestAcquirer.start("--drop", "0.2", "--double", "0.2", "--webhook-delay-ms", "300");
  const till = new Till(redis, acquirer);
  try {
    await till.open(secondsToPay);
    await acquirer.fail({ fail: 0.05 });
    const killing = till.killAll(killEveryMs);
    const serving = till.serve();
    await till.sell(orders);
    await till.close(killing, serving);
    return await till.judge();
  } finally {
    await till.end();
    await acquirer.stop();
  }
}

export function describeTill({ orders, kills, ready, cancelled, declined, refunded, violations }: TillReport): string {
  return (
    `killed ${kills} times; ${orders} orders: ${ready} ready, ${cancelled} cancelled; ${declined} cards declined, ` +
    `${refunded} refunded; ${violations.length} violations`
  );
}

class Till {
  readonly #acquirer: TestAcquirer;
  readonly #ports: readonly [number, number][];
  readonly #environments: Readonly<Record<string, string>>[];
  readonly #replicas: (Server | undefined)[] = [];
  readonly #orderIds: string[] = [];
  readonly #faults: string[] = [];
  #turn = 0;
  #kills = 0;
  #declined = 0;
  #isOpen = true;
  #isSelling = true;

  constructor(redis: TestRedis, acquirer: TestAcquirer) {
    this.#acquirer = acquirer;
    this.#ports = [0, 1].map(() => [freePort(), freePort()]);
    const shop = { SHOP: `till-${crypto.randomUUID()}`, REDIS_URL: redis.url, REQUESTS_PER_SECOND: "1000000" };
    const limits = {
      LIMIT_CAPACITY: "1000000",
      LEASE_SECONDS: "3",
      MAX_ATTEMPTS: "1000",
      MAX_HELD_PER_ADDRESS: "10000",
    };
    this.#environments = this.#ports.map(([customers, baristas]) => ({
      ...shop,
      ...limits,
      ...acquirer.settings,
      CUSTOMER_PORT: String(customers),
      BARISTA_PORT: String(baristas),
    }));
  }

  async open(secondsToPay: number): Promise<void> {
    for (const environment of this.#environments) this.#replicas.push(await startServer(environment));
    await this.#acquirer.tell(`http://127.0.0.1:${this.#ports[0]?.[0]}/payment/webhook`);
    const json = { payment_timeout_seconds: secondsToPay };
    await this.#insist("baristas", "/shop", { method: "PATCH", json });
  }

  /** One replica after the other, until the shop closes. */
  async killAll(everyMs: number): Promise<void> {
    while (this.#isOpen) {
      await Bun.sleep(everyMs);
      if (!this.#isOpen) return;
      const index = this.#kills % this.#replicas.length;
      await this.#replicas[index]?.stop("SIGKILL");
      this.#kills += 1;
      this.#replicas[index] = await startServer(this.#environments[index]);
    }
  }

  /** Baristas make what is paid, until all is made. */
  async serve(): Promise<void> {
    await Promise.all(Array.from({ length: BARISTAS }, (_, index) => this.#brew(`barista ${index}`)));
  }

  async sell(count: number): Promise<void> {
    let left = count;
    const buy = async (): Promise<void> => {
      while (left-- > 0) await this.#buy().catch((error: unknown) => this.#faults.push(String(error)));
    };
    await Promise.all(Array.from({ length: CUSTOMERS }, buy));
  }

  /** Resolves once nothing more is to be done for any order. */
  async close(killing: Promise<void>, serving: Promise<void>): Promise<void> {
    await until(async () => (await this.#openOrders()) === 0, "all orders are over", SETTLE_MS);
    this.#isSelling = false;
    await serving;
    await this.#untilSettled();
    for (const id of this.#orderIds) if (Math.random() < REFUNDED) await this.#giveBack(id);
    await this.#untilSettled();
    this.#isOpen = false;
    await killing;
  }

  async judge(): Promise<TillReport> {
    const orders = await this.#readOrders();
    const payments = new Map((await this.#readPayments()).map((payment) => [payment.order_id, payment]));
    const rows = Map.groupBy(await this.#acquirer.ledger(), ({ order_id }) => order_id ?? "");
    const violations = [
      ...this.#faults,
      ...orders.flatMap((order) => violationsOf(order, payments.get(order.order_id), rows.get(order.order_id) ?? [])),
      ...[...rows.keys()].filter((id) => !payments.has(id)).map((id) => `${id}: an intent of no order`),
    ];
    const count = (status: string): number => orders.filter((order) => order.status === status).length;
    const refunded = [...payments.values()].filter(({ refund_reason }) => refund_reason !== undefined).length;
    return {
      orders: orders.length,
      kills: this.#kills,
      ready: count("ready"),
      cancelled: count("cancelled"),
      declined: this.#declined,
      refunded,
      violations: [
        ...violations,
        ...this.#sumsThatDiffer(orders, payments, rows),
        ...(await this.#statsThatDiffer([...rows.values()].flat())),
      ],
    };
  }

  async end(): Promise<void> {
    this.#isOpen = this.#isSelling = false;
    for (const replica of this.#replicas) await replica?.stop("SIGKILL");
  }

  #sumsThatDiffer(
    orders: readonly Order[],
    payments: ReadonlyMap<string, Payment>,
    rows: ReadonlyMap<string, LedgerRow[]>,
  ): string[] {
    const all = [...rows.values()].flat();
    const ofReady = sum(orders.filter(({ status }) => status === "ready").map(({ price = 0 }) => price));
    const captured = sum(all.map((row) => row.captured));
    const given = sum(all.map((row) => row.refunded));
    const asked = sum(
      [...payments.values()].map(({ refund_reason, amount }) => (refund_reason === undefined ? 0 : amount)),
    );
    return [
      ...(captured === ofReady ? [] : [`captured ${captured}, of ready orders ${ofReady}`]),
      ...(given === asked ? [] : [`refunded ${given}, asked for ${asked}`]),
    ];
  }

  /** What the shop's stats say was paid, beside the acquirer's ledger. */
  async #statsThatDiffer(rows: readonly LedgerRow[]): Promise<string[]> {
    const from = new Date(Date.now() - 3_600_000).toISOString();
    const { body } = await this.#insist("baristas", `/stats?from=${from}`);
    const { captured, refunded } = (body as { total: { payments: { captured: number; refunded: number } } }).total
      .payments;
    const wanted = { captured: sum(rows.map((row) => row.captured)), refunded: sum(rows.map((row) => row.refunded)) };
    return captured === wanted.captured && refunded === wanted.refunded
      ? []
      : [`stats: captured ${captured} of ${wanted.captured}, refunded ${refunded} of ${wanted.refunded}`];
  }

  async #buy(): Promise<void> {
    const headers = { "Idempotency-Key": crypto.randomUUID(), Prefer: "respond-async" };
    const placed = await this.#insist("customers", "/order/", { method: "POST", json: { item: "latte" }, headers });
    const { order_id: id } = placed.body as Order;
    this.#orderIds.push(id);
    const first = Math.random() < DECLINED ? REFUSED_CARD : GOOD_CARD;
    let paid = await this.#pay(id, first);
    if (paid.status === 402) {
      this.#declined += 1;
      if (Math.random() > SECOND_TRY) return;
      paid = await this.#pay(id, GOOD_CARD);
    }
    if (![200, 202, 402, 409].includes(paid.status)) this.#faults.push(`${id}: paying was answered ${paid.status}`);
    if (Math.random() > CANCELLED) return;
    const cancelled = await this.#insist("customers", `/order/${id}`, {
      method: "PATCH",
      json: { status: "cancelled" },
    });
    if (![200, 409].includes(cancelled.status)) this.#faults.push(`${id}: cancelling was answered ${cancelled.status}`);
  }

  #pay(order_id: string, method: string): Promise<Answer> {
    return this.#insist("customers", "/payment", { method: "POST", json: { order_id, method } });
  }

  async #giveBack(id: string): Promise<void> {
    const json = { status: "PAYMENT_REFUNDED", reason: "cold" };
    const answer = await this.#insist("baristas", `/payment/${id}`, { method: "PATCH", json });
    if (![200, 409].includes(answer.status)) this.#faults.push(`${id}: a refund was answered ${answer.status}`);
  }

  async #brew(barista: string): Promise<void> {
    while (this.#isSelling) {
      const headers = { "Idempotency-Key": crypto.randomUUID() };
      const path = `/start/?wait=1&barista=${encodeURIComponent(barista)}`;
      const started = await this.#insist("baristas", path, { headers }).catch(() => undefined);
      if (started?.status !== 200) continue;
      const { order_id } = started.body as Order;
      const finish = `/finish/?order_id=${order_id}&barista=${encodeURIComponent(barista)}`;
      // (409: another one has it, as this one's lease ran out while a replica was away.)
      await this.#insist("baristas", finish, { method: "POST" }).catch(() => undefined);
    }
  }

  /** Asks one replica after the other until one answers. */
  async #insist(port: "customers" | "baristas", path: string, asking: Parameters<typeof ask>[1] = {}): Promise<Answer> {
    const deadline = performance.now() + INSIST_MS;
    for (;;) {
      const [customers, baristas] = this.#ports[this.#turn++ % this.#ports.length] ?? [0, 0];
      const url = `http://127.0.0.1:${port === "customers" ? customers : baristas}${path}`;
      const answer = await ask(url, asking).catch(() => undefined);
      if (answer && answer.status < 500 && answer.status !== 429) return answer;
      if (performance.now() > deadline) throw new Error(`${path}: no answer but ${answer?.status}`);
      await Bun.sleep(50);
    }
  }

  async #openOrders(): Promise<number> {
    const { body } = await this.#insist("baristas", "/shop");
    return (body as { open_orders: number }).open_orders;
  }

  async #unsettled(): Promise<Payment[]> {
    const isOpen = ({ status, refund_requested_at }: Payment): boolean =>
      status === "PAYMENT_PENDING" ||
      status === "PAYMENT_CREATED" ||
      (status === "PAYMENT_SUCCESSFUL" && refund_requested_at !== undefined);
    return (await this.#readPayments()).filter(isOpen);
  }

  async #untilSettled(): Promise<void> {
    const isSettled = async (): Promise<boolean> => (await this.#unsettled()).length === 0;
    try {
      await until(isSettled, "all payments are settled", SETTLE_MS);
    } catch (error) {
      const some = (await this.#unsettled()).slice(0, 10).map((payment) => JSON.stringify(payment));
      this.#faults.push(String(error), ...some);
    }
  }

  #readOrders(): Promise<Order[]> {
    return this.#readAll<Order>("/order/", "orders");
  }

  #readPayments(): Promise<Payment[]> {
    return this.#readAll<Payment>("/payment", "payments");
  }

  async #readAll<Row>(path: string, name: string): Promise<Row[]> {
    const rows: Row[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const { body } = await this.#insist("baristas", `${path}?limit=200${cursor && `&cursor=${cursor}`}`);
      const page = body as Record<string, Row[]> & { readonly cursor: string | null };
      rows.push(...(page[name] ?? []));
      ({ cursor } = page);
    }
    return rows;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What is wrong with an order, its payment, and what the acquirer did for it. */
export function violationsOf(
  { order_id: id, status, price = 0 }: Order,
  payment: Payment | undefined,
  rows: readonly LedgerRow[],
): string[] {
  const [row] = rows;
  const wrong = (what: string): string[] => [`${id} (${status}, ${payment?.status}): ${what}`];
  if (!payment) return wrong("has no payment");
  if (rows.length > 1) return wrong(`has ${rows.length} intents`);
  if (payment.amount !== price) return wrong(`costs ${price}, and its payment is ${payment.amount}`);
  const faults: string[] = [];
  if (status === "ready") {
    if (row?.captured !== price || row.captures !== 1)
      faults.push(...wrong(`captured ${row?.captured} in ${row?.captures}`));
    const wanted = payment.refund_reason === undefined ? "PAYMENT_SUCCESSFUL" : "PAYMENT_REFUNDED";
    if (payment.status !== wanted) faults.push(...wrong("its payment is not settled so"));
    const refunds = payment.refund_reason === undefined ? 0 : 1;
    if (row?.refunds !== refunds) faults.push(...wrong(`refunded ${row?.refunds} times`));
  } else {
    if (status !== "cancelled") faults.push(...wrong("is not over"));
    if (row && row.captures + row.captured > 0) faults.push(...wrong(`captured ${row.captured}`));
    if (!["PAYMENT_FAILED", "PAYMENT_REFUNDED"].includes(payment.status))
      faults.push(...wrong("its payment is not settled so"));
  }
  if (row && row.held > 0) faults.push(...wrong(`${row.held} is held for ever`));
  return faults;
}
