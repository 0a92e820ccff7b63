/** Owns what it means to a call that a key which it needs holds a value of another type. */

/**
 * A key that a script needs holds a value of another type. It stays so until staff put it right; the call has changed
 * nothing. (Without a cause: a client keeps a command's arguments there.)
 */
export class ShopDamagedError extends Error {
  override readonly name = "ShopDamagedError";

  /** `said`: Redis's words, which name no key and no argument. */
  constructor(script: string, said: string) {
    super(`${script}: ${said}`);
  }
}
