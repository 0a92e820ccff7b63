/** Owns what `longpour/client` exports. Files here import one another directly. */
export type { Draft, Order } from "../orders/order.ts";
export type { FieldFault } from "../problem.ts";
export type { ClientOptions, Fetch, Retry } from "./ask.ts";
export { createClient, type CallOptions, type Client, type OrderOptions } from "./orders.ts";
export { OrderRefused } from "./problem.ts";
