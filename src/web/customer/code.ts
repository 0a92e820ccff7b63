/**
 * Owns how a typed code is read. The board's codes are in Crockford's base 32: O, I and L stand for what they look
 * like.
 */
export function readCode(typed: string): string {
  return typed
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, "")
    .replaceAll("O", "0")
    .replaceAll(/[IL]/g, "1");
}
