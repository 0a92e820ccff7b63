/** Owns what `longpour/client` exports. Files here import one another directly. */
export type { Draft, Order } from "../orders/order.ts";
export type { FieldFault } from "../problem.ts";
export type { Progress } from "../machines/progress.ts";
export { RetryLater } from "../machines/retry-later.ts";
export type { ClientOptions, Fetch, Retry } from "./ask.ts";
export type { BaristaRetry } from "./barista.ts";
export type { MachineType } from "./machine-type.ts";
export type { Handler, Work } from "./making.ts";
export {
  createClient,
  type Called,
  type CallOptions,
  type Client,
  type MachineCallOptions,
  type OrderOptions,
} from "./orders.ts";
export { OrderRefused } from "./problem.ts";
export type { Ending } from "./turns.ts";
export { work, type WorkOptions } from "./work.ts";
