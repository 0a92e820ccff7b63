/**
 * Owns what the page tests expect of every state that they show: axe-core finds no fault in it.
 *
 * **Invariants**
 * - All of axe-core's default rules count; none is switched off.
 * - It runs in the page through the browser's protocol, so the page's own policy stays as it is.
 */
import axe from "axe-core";
import { expect } from "bun:test";
import type { Page } from "playwright-core";

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Fails, naming the rule and the elements, where the page as it is now can't be used by all. */
export async function expectAccessible(page: Page, state: string): Promise<void> {
  // Colours on their way are no state.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(`globalThis.axe ?? (() => { ${axe.source} })()`);
  const violations = await page.evaluate<readonly Violation[]>(
    "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)",
  );
  await page.emulateMedia({ reducedMotion: null });
  const faults = violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${state}: ${id} (${impact}) ${html.slice(0, 200)} ${failureSummary}`),
  );
  expect(faults).toEqual([]);
}
