/**
 * Owns the addresses of this machine that simulated customers call from.
 *
 * **Invariants**
 * - They are loopback addresses, each given once.
 * - That the machine has them is asked, not assumed.
 */
import { createServer } from "node:net";

/** The first `count` addresses from 127.0.0.2 up, without `taken`. */
export function loopbackAddresses(count: number, taken: string): string[] {
  const addresses = Array.from({ length: count + 1 }, (_, index) => `127.0.${(index + 2) >> 8}.${(index + 2) & 255}`);
  return addresses.filter((address) => address !== taken).slice(0, count);
}

/** Whether this machine has `host`: only then can it listen there. */
export function isOurs(host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once("error", () => resolve(false)).listen(0, host, () => probe.close(() => resolve(true)));
  return promise;
}
