/**
 * Owns keeping the screen on.
 *
 * **Invariants**
 * - Where the browser does not allow it, the board works all the same.
 */

interface Sentinel {
  release(): Promise<void>;
}

interface Screen {
  readonly document: EventTarget & { readonly visibilityState: string };
  /** Absent in older browsers, and on pages that did not come over HTTPS. */
  readonly wakeLock: { request(type: "screen"): Promise<Sentinel> } | undefined;
}

/** Keeps the screen on until what it returns is called. The browser lets go whenever the page is hidden. */
export function keepAwake({ document, wakeLock }: Screen): () => void {
  let held: Sentinel | undefined;
  const ask = async (): Promise<void> => {
    if (document.visibilityState !== "visible") return;
    // Refused for a low battery, or by the person.
    held = await wakeLock?.request("screen").catch(() => undefined);
  };
  const asking = (): void => void ask();
  document.addEventListener("visibilitychange", asking);
  asking();
  return () => {
    document.removeEventListener("visibilitychange", asking);
    void held?.release();
  };
}
