/** Owns what a server needs to take cards. */
import type { PaymentProvider } from "./provider.ts";
import type { Settler } from "./settler.ts";
import type { Steps } from "./steps.ts";

export interface Cards {
  readonly provider: PaymentProvider;
  readonly steps: Steps;
  readonly settler: Settler;
  /** Says where the own test acquirer's webhooks go, once that is known. */
  readonly hearAt: (url: string) => Promise<void>;
}
