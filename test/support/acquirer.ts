/**
 * Owns test acquirers of tests: `longpour acquirer` as a process of its own, with a key and a secret of its own.
 *
 * **Invariants**
 * - One that was started is gone when the process ends.
 */
import { join } from "node:path";
import { ask, expectStatus } from "./http.ts";

const LONGPOUR = join(import.meta.dir, "../../src/cli/longpour.ts");

/** What `GET /ledger` says of one intent. */
export interface LedgerRow {
  readonly id: string;
  readonly order_id: string | null;
  readonly status: string;
  readonly amount: number;
  readonly authorisations: number;
  readonly held: number;
  readonly captured: number;
  readonly captures: number;
  readonly refunded: number;
  readonly refunds: number;
}

export class TestAcquirer {
  readonly url: string;
  readonly #keys: Keys;
  readonly #options: readonly string[];
  readonly #child: Bun.Subprocess;
  readonly #end: () => void;

  private constructor(url: string, { keys, options, child, end }: Started) {
    this.url = url;
    this.#keys = keys;
    this.#options = options;
    this.#child = child;
    this.#end = end;
  }

  static async start(...options: string[]): Promise<TestAcquirer> {
    const keys = { secretKey: `sk_test_${crypto.randomUUID()}`, webhookSecret: `whsec_${crypto.randomUUID()}` };
    return await TestAcquirer.#startAt("0", keys, options);
  }

  static async #startAt(port: string, keys: Keys, options: readonly string[]): Promise<TestAcquirer> {
    const given = ["--port", port, "--key", keys.secretKey, "--webhook-secret", keys.webhookSecret, ...options];
    const child = Bun.spawn([process.execPath, LONGPOUR, "acquirer", ...given], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const end = (): void => child.kill("SIGKILL");
    process.once("exit", end);
    for await (const chunk of child.stdout as ReadableStream<Uint8Array>) {
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(new TextDecoder().decode(chunk)) ?? [];
      if (url) return new TestAcquirer(url, { keys, options, child, end });
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

  /** Ends it as `kill -9` does, and starts it again on the same port when the function that this resolves to is called. */
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
  async fail(faults: object): Promise<void> {
    await this.#change("/faults", faults);
  }

  async ledger(): Promise<readonly LedgerRow[]> {
    const answer = await ask(`${this.url}/ledger`, { headers: this.#authorization });
    expectStatus(answer, 200);
    return (answer.body as { intents: readonly LedgerRow[] }).intents;
  }

  async stop(): Promise<void> {
    process.removeListener("exit", this.#end);
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

  get #authorization() {
    return { Authorization: `Bearer ${this.#keys.secretKey}` };
  }

  async #change(path: string, json: object): Promise<void> {
    expectStatus(await ask(this.url + path, { method: "POST", json, headers: this.#authorization }), 200);
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
  readonly end: () => void;
}
