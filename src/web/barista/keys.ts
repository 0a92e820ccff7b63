/**
 * Owns the keyboard.
 *
 * **Invariants**
 * - A key does nothing while the barista types, chooses or holds it down.
 */

const KEYS = {
  n: "next",
  f: "finish",
  e: "extend",
  r: "release",
  c: "cancel",
  d: "finishAndNext",
  x: "fail",
  s: "shop",
  p: "payments",
} as const;
export type Action = (typeof KEYS)[keyof typeof KEYS];

/** The fields of a KeyboardEvent that matter here. */
interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
}

/** `isTyping`: the press goes to a field, or a dialog is open. */
export function actionOf(press: Press, isTyping: boolean): Action | undefined {
  if (isTyping || press.repeat || press.ctrlKey || press.metaKey || press.altKey) return undefined;
  const key = press.key.toLowerCase();
  return key in KEYS ? KEYS[key as keyof typeof KEYS] : undefined;
}
