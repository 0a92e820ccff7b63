/**
 * Owns how tests read a port's OpenAPI document.
 *
 * **Invariants**
 * - In a resolved one, what a reference names stands in its place, the same object each time.
 */

/** The document with no reference left in it; one to what is not there throws. */
export function resolveReferences(document: unknown): unknown {
  const resolved = new Map<string, unknown>();
  const resolve = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(resolve);
    if (typeof part !== "object" || part === null) return part;
    if ("$ref" in part) return follow(String(part.$ref));
    return Object.fromEntries(Object.entries(part).map(([name, member]) => [name, resolve(member)]));
  };
  const follow = (reference: string): unknown => {
    if (!resolved.has(reference)) resolved.set(reference, resolve(find(document, reference)));
    return resolved.get(reference);
  };
  return resolve(document);
}

/** What a reference such as `#/components/schemas/Order` names. */
function find(document: unknown, reference: string): unknown {
  const [root, ...names] = reference.split("/");
  let found = root === "#" ? document : undefined;
  for (const name of names) {
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  }
  if (found === undefined) throw new Error(`${reference} names nothing`);
  return found;
}
