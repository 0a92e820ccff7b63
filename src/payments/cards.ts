/**
 * Owns what a server needs to take cards: the provider, and what has payments follow their orders there.
 *
 * **Invariants**
 * - A server without a provider opens none of it, and reads no events for it.
 */
import type { Config } from "../config.ts";
import { DurableReader } from "../events/durable-reader.ts";
import { isFinalEvent, type Change } from "../events/event.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import type { Payments } from "../orders/payments.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { startOwnAcquirer } from "./own-acquirer.ts";
import type { PaymentProvider } from "./provider.ts";
import { Settler } from "./settler.ts";
import { Steps } from "./steps.ts";
import { StripeProvider } from "./stripe.ts";

const STRIPE_HOST = "api.stripe.com";
/** The durable reader of the shop's events that payments have. */
const READER = "payments";

export interface Cards {
  readonly provider: PaymentProvider;
  readonly steps: Steps;
  readonly settler: Settler;
  /** Says where the own test acquirer's webhooks go, once that is known. */
  readonly hearAt: (url: string) => Promise<void>;
}

interface CardsParts {
  readonly config: Config;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking" | "run">;
  readonly payments: Payments;
}

/** Undefined: this server has no provider. */
export async function openCards({ config, log, lifecycle, redis, payments }: CardsParts): Promise<Cards | undefined> {
  const found = await findProvider({ config, log, lifecycle });
  if (!found) return undefined;
  const { provider, hearAt } = found;
  const steps = new Steps(payments, provider, log);
  const settler = new Settler(payments, steps, log);
  lifecycle.opened("payments", () => settler.stop());
  const handle = async (changes: readonly Change[]): Promise<void> => {
    const ids = changes.filter((change) => isFinalEvent(change)).map(({ orderId }) => orderId);
    if (ids.length > 0) await settler.look([...new Set(ids)]);
  };
  const reader = new DurableReader({ redis, name: READER, handle, log });
  lifecycle.opened("reader of payments", () => reader.close());
  return { provider, steps, settler, hearAt };
}

async function findProvider({ config, log, lifecycle }: Pick<CardsParts, "config" | "log" | "lifecycle">) {
  const { stripeSecretKey: secretKey, stripeWebhookSecret: webhookSecret, payment, acquirer, dataDir } = config;
  if (secretKey !== undefined && webhookSecret !== undefined) {
    const { stripeApi: apiUrl, stripePublishableKey: publishableKey = null } = config;
    // Any other server that speaks its API is taken for a test acquirer.
    const name = URL.parse(apiUrl)?.hostname === STRIPE_HOST ? "stripe" : "test";
    const provider = new StripeProvider({ name, secretKey, webhookSecret, publishableKey, apiUrl });
    return { provider, hearAt: async (): Promise<void> => {} };
  }
  if (payment !== "card" || !acquirer) return undefined;
  const own = await startOwnAcquirer({ dataDir, log });
  lifecycle.opened("test acquirer", () => own.stop());
  log.warn({ acquirer: own.apiUrl }, "cards are charged by the test acquirer: no money moves");
  const { apiUrl, secretKey: key, webhookSecret: secret } = own;
  const account = { secretKey: key, webhookSecret: secret, publishableKey: null, apiUrl };
  return {
    provider: new StripeProvider({ name: "test", ...account }),
    hearAt: (url: string) => own.sendWebhooksTo(url),
  };
}
