/**
 * Owns what the board says beside the orders: the code to order with, or why there is none just now.
 *
 * **Invariants**
 * - A code is shown only while it is required, and while it can still be used after it was scanned.
 * - A shop that takes no orders says so, with and without codes.
 */
import type { CodeView } from "../../shop/codes.ts";
import type { StaffShopView } from "../../shop/settings.ts";

/** Too short to scan, choose and order. */
const HIDDEN_LAST_MS = 15_000;

/** Why no code is shown though the shop is open. */
export type Pause = "changing" | "used_up" | "full";

export type Panel =
  | { readonly kind: "looking" }
  /** Orders need no code. `address`: where to order, once it is known. */
  | { readonly kind: "none"; readonly address: string | undefined }
  | { readonly kind: "closed" }
  /** `newCodeSeconds`: until there is a new code; undefined: it is not the code that lacks. */
  | { readonly kind: "paused"; readonly why: Pause; readonly newCodeSeconds: number | undefined }
  | {
      readonly kind: "code";
      readonly picture: string;
      readonly url: string;
      /** The code as it is read out and typed: "7QK2 M9XW TR3B". */
      readonly text: string;
      /** Where it is typed. */
      readonly address: string;
      readonly remaining: number;
      readonly secondsLeft: number;
      /** Of the code's period, 1 to 0. */
      readonly share: number;
    };

interface PanelInput {
  readonly code: CodeView | undefined;
  readonly settings: StaffShopView | undefined;
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
  if (!settings.require_code) return { kind: "none", address: code && addressOf(code) };
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
    text: code.code.match(/.{1,4}/g)?.join(" ") ?? "",
    address: addressOf(code),
    remaining: code.remaining,
    secondsLeft,
    share: Math.min(1, leftMs / 1000 / settings.code_period_seconds),
  };
}

/** `http://shop.example/?code=7QK2` → `shop.example`. */
function addressOf({ url }: CodeView): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`.replace(/\/$/, "");
}
