/**
 * Owns what the board says beside the orders: the code to order with, or why there is none just now.
 * Always holds: a code is shown only while somebody who scans it can still use it.
 */
import type { Code, Settings } from "../shared/staff/api.ts";

/** Too short to scan, choose and order. */
const HIDDEN_LAST_MS = 15_000;

/** Why no code is shown though the shop is open. */
export type Pause = "changing" | "used_up" | "full";

export type Panel =
  | { readonly kind: "looking" }
  | { readonly kind: "closed" }
  /** `newCodeSeconds`: until there is a new code; undefined: it is not the code that lacks. */
  | { readonly kind: "paused"; readonly why: Pause; readonly newCodeSeconds: number | undefined }
  | {
      readonly kind: "code";
      readonly picture: string;
      readonly url: string;
      readonly remaining: number;
      readonly secondsLeft: number;
      /** Of the code's period, 1 to 0. */
      readonly share: number;
    };

interface PanelInput {
  readonly code: Code | undefined;
  readonly settings: Settings | undefined;
  /** Orders reserved, queued and brewing. */
  readonly openOrders: number;
  readonly nowMs: number;
}

export function panelOf({ code, settings, openOrders, nowMs }: PanelInput): Panel {
  if (!settings) return { kind: "looking" };
  if (!settings.open) return { kind: "closed" };
  if (settings.capacity !== null && openOrders >= settings.capacity) {
    return { kind: "paused", why: "full", newCodeSeconds: undefined };
  }
  if (!code) return { kind: "looking" };
  const leftMs = Date.parse(code.changes_at) - nowMs;
  const secondsLeft = Math.max(0, Math.ceil(leftMs / 1000));
  if (leftMs <= HIDDEN_LAST_MS) return { kind: "paused", why: "changing", newCodeSeconds: secondsLeft };
  if (code.remaining <= 0) return { kind: "paused", why: "used_up", newCodeSeconds: secondsLeft };
  return {
    kind: "code",
    // As a picture, never as markup: what is in it can't run.
    picture: `data:image/svg+xml,${encodeURIComponent(code.qr_svg)}`,
    url: code.url,
    remaining: code.remaining,
    secondsLeft,
    share: Math.min(1, leftMs / 1000 / settings.code_period_seconds),
  };
}
