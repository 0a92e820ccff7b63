/**
 * Owns how finish links come with the orders that are started.
 *
 * **Invariants**
 * - What can keep a link from being made is found before an order is started.
 */
import type { OrderJson } from "../../orders/order.ts";
import type { FinishLinks } from "../../service/finish-links.ts";

export interface LinkingDependencies {
  readonly links: FinishLinks;
  /** Where the baristas' port is found, by those who get a link from the sender of this request. */
  readonly staffUrlFor: (request: Request) => string;
}

/** Adds the link of an order that was started. */
export type Link = (order: OrderJson) => OrderJson;

/** Makes the function that prepares the links of a request's orders. */
export function createLinking({ links, staffUrlFor }: LinkingDependencies): (request: Request) => Promise<Link> {
  return async (request) => {
    const sign = await links.prepare();
    const url = staffUrlFor(request);
    return (order) => {
      const link = sign(order);
      const urls = { finish_url: `${url}/finish/${link}`, fail_url: `${url}/fail/${link}` };
      return `${order.slice(0, -1)},${JSON.stringify(urls).slice(1)}`;
    };
  };
}
