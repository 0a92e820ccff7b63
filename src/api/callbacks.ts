/**
 * Owns how a callback's URL is refused that this server does not take.
 *
 * **Invariants**
 * - The fault names the field as its sender spelled it, and does not repeat the URL.
 */
import { InvalidInputError } from "../problem.ts";
import { findCallbackFault, type CallbackSettings } from "../webhooks/callback-url.ts";

/** Throws an InvalidInputError. */
export type CheckCallback = (url: string | undefined, field?: string) => void;

export function createCallbackCheck(settings: CallbackSettings): CheckCallback {
  return (url, field = "callback_url") => {
    const fault = url === undefined ? undefined : findCallbackFault(url, settings);
    if (fault !== undefined) throw new InvalidInputError([{ field, detail: fault }]);
  };
}
