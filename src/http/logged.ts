/**
 * Owns what the log says of a request.
 *
 * **Invariants**
 * - No order's id stands in it: an id is its customer's right to the order. No finish link: it is the right to finish.
 */

/** The path asked for, each order's id in it as a short hash, by which lines of one order can be found. */
export function hashedPath(request: Request): string {
  return pathWith(request, (id) => `#${new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 8)}`);
}

/** The path asked for, without the ids of orders. */
export function anonymousPath(request: Request): string {
  return pathWith(request, () => ":id");
}

const ID = /(?<=^\/+(?:order|finish|fail)\/+)[^/]+|[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi;

/** Without a Host, as HTTP/1.0 allows, Bun's URL is nothing but path and query. */
function pathWith({ url }: Request, shown: (id: string) => string): string {
  return (URL.parse(url, "http://host")?.pathname ?? "").replaceAll(ID, shown);
}
