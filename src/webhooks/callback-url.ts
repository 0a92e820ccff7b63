/**
 * Owns which URLs customers may have their orders posted to.
 *
 * **Invariants**
 * - There are none unless CALLBACK_ALLOW names their hosts.
 * - Of these, none is inside a network unless WEBHOOK_ALLOW names it, too.
 */
import type { HostList } from "../host-list.ts";
import { findUrlFault } from "./url.ts";

export interface CallbackSettings {
  readonly callbackAllow: HostList;
  readonly webhookAllow: HostList;
}

/** The fault of a callback's URL, as it goes on after the field's name. */
export function findCallbackFault(text: string, { callbackAllow, webhookAllow }: CallbackSettings): string | undefined {
  if (callbackAllow.isEmpty) return "is not taken here: the server has to allow it (CALLBACK_ALLOW)";
  const fault = findUrlFault(text, webhookAllow);
  if (fault !== undefined) return fault;
  return callbackAllow.hasHost(new URL(text))
    ? undefined
    : "must lead to a host that this server allows (CALLBACK_ALLOW)";
}
