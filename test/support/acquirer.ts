/**
 * Owns test acquirers of tests: `longpour acquirer` as a process of its own, with a key and a secret of its own.
 *
 * **Invariants**
 * - One that was started is gone when the process ends: it reads a pipe that the kernel closes then.
 */
import { join } from "node:path";
import type { Faults } from "../../src/cli/acquirer/faults.ts";
import type { WebhookCounts } from "../../src/cli/acquirer/webhooks.ts";
import { ask, expectStatus } from "./http.ts";

const LONGPOUR = join(import.meta.dir, "../../src/cli/longpour.ts");

/** What `GET /ledger` says of one intent. */
export interface LedgerRow {
  readonly id: string;
  readonly order_id: string | null;
  readonly status: string;
  readonly amount: number;
  readonly authorised: number;
  readonly authorisations: number;
  readonly held: number;
  readonly captured: number;
  readonly captures: number;
  readonly refunded: number;
  readonly refunds: number;
}

/** The whole ledger: with its sums, and with what became of webhooks. */
interface Report {
  readonly intents: readonly LedgerRow[];
  readonly sums: Readonly<Record<string, number>>;
  readonly webhooks: WebhookCounts;
}

export class TestAcquirer {
  readonly url: string;
  readonly #keys: Keys;
  readonly #options: readonly string[];
  readonly #child: Bun.Subprocess;

  private constructor(url: string, { keys, options, child }: Started) {
    this.url = url;
    this.#keys = keys;
    this.#options = options;
    this.#child = child;
  }

  static async start(...options: string[]): Promise<TestAcquirer> {
    const keys = { secretKey: `sk_test_${crypto.randomUUID()}`, webhookSecret: `whsec_${crypto.randomUUID()}` };
    return await TestAcquirer.#startAt("0", keys, options);
  }

  static async #startAt(port: string, keys: Keys, options: readonly string[]): Promise<TestAcquirer> {
    const given = ["--port", port, "--key", keys.secretKey, "--webhook-secret", keys.webhookSecret, ...options];
    const child = Bun.spawn([process.execPath, LONGPOUR, "acquirer", "--with-stdin", ...given], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    for await (const chunk of child.stdout as ReadableStream<Uint8Array>) {
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(new TextDecoder().decode(chunk)) ?? [];
      if (url) return new TestAcquirer(url, { keys, options, child });
    }
    throw new Error("the acquirer ended without an address");
  }

  /** The settings of a server that charges cards here. */
  get settings() {
    return {
      PAYMENT: "card",
      STRIPE_API: this.url,
      STRIPE_SECRET_KEY: this.#keys.secretKey,
      STRIPE_WEBHOOK_SECRET: this.#keys.webhookSecret,
    };
  }

  /** Ends it as `kill -9` does. The function that this resolves to starts it again on the same port. */
  async kill(): Promise<() => Promise<TestAcquirer>> {
    const { port } = new URL(this.url);
    await this.stop();
    return async () => await TestAcquirer.#startAt(port, this.#keys, this.#options);
  }

  /** Has webhooks sent there. */
  async tell(url: string): Promise<void> {
    await this.#change("/webhook-endpoint", { url });
  }

  /** Changes what goes wrong, from now on. */
  async fail(faults: Partial<Faults>): Promise<void> {
    await this.#change("/faults", faults);
  }

  async ledger(): Promise<readonly LedgerRow[]> {
    return (await this.report()).intents;
  }

  /** The row of an order, which has one intent. */
  async row(orderId: string): Promise<LedgerRow> {
    const [row, ...more] = (await this.ledger()).filter(({ order_id }) => order_id === orderId);
    if (!row || more.length > 0) throw new Error(`the order has ${row ? more.length + 1 : "no"} intents`);
    return row;
  }

  async report(): Promise<Report> {
    const answer = await ask(`${this.url}/ledger`, { headers: this.authorization });
    expectStatus(answer, 200);
    return answer.body as Report;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  /** The header that signs a webhook's body as sent at that time, in seconds since 1970. */
  sign(body: string, seconds = Math.floor(Date.now() / 1000)): string {
    const signature = new Bun.CryptoHasher("sha256", this.#keys.webhookSecret)
      .update(`${seconds}.${body}`)
      .digest("hex");
    return `t=${seconds},v1=${signature}`;
  }

  get authorization() {
    return { Authorization: `Bearer ${this.#keys.secretKey}` };
  }

  async #change(path: string, json: object): Promise<void> {
    expectStatus(await ask(this.url + path, { method: "POST", json, headers: this.authorization }), 200);
  }
}

interface Keys {
  readonly secretKey: string;
  readonly webhookSecret: string;
}

interface Started {
  readonly keys: Keys;
  readonly options: readonly string[];
  readonly child: Bun.Subprocess;
}
