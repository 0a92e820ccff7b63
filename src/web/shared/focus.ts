/**
 * Owns where the focus goes when the element that had it is gone: a button of a card that left, a field that was
 * closed.
 *
 * **Invariants**
 * - The focus never falls to the page: a keyboard or a screen reader would begin at its top again.
 * - It goes to a card or a heading, not to its buttons: the same key pressed again does nothing there.
 */

/**
 * Keeps the focus in the page's content; returns how to stop. Places to rest have a `data-rest`, and `tabindex="-1"` at
 * least.
 */
export function keepFocus(): () => void {
  let last: Element | null = null;
  /** From the inside out, what the focus was in; and where a card stood among its like. */
  let around: readonly Element[] = [];
  let index = 0;

  const note = ({ target }: FocusEvent): void => {
    if (!(target instanceof Element)) return;
    last = target;
    around = ancestorsOf(target);
    const card = target.closest<HTMLElement>("[data-rest=card]");
    index = card ? restsIn(card.parentElement, "card").indexOf(card) : 0;
  };
  const mend = (): void => {
    const isLost = document.activeElement === null || document.activeElement === document.body;
    if (!isLost || !last || isUsable(last)) return;
    last = null;
    findRest(around, index)?.focus({ preventScroll: true });
  };
  const observer = new MutationObserver(() => requestAnimationFrame(mend));
  observer.observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["disabled", "hidden"],
  });
  addEventListener("focusin", note);
  return () => {
    observer.disconnect();
    removeEventListener("focusin", note);
  };
}

/** The card that came to stand there, else a place to rest in what is left around it, else the first of the page. */
function findRest(around: readonly Element[], index: number): HTMLElement | undefined {
  for (const element of around) {
    if (!element.isConnected || element === document.body) continue;
    const cards = restsIn(element, "card");
    const rest = cards[Math.min(index, cards.length - 1)] ?? restsIn(element)[0];
    if (rest) return rest;
  }
  return restsIn(document.body)[0];
}

function restsIn(element: Element | null, kind?: string): HTMLElement[] {
  const selector = kind === undefined ? "[data-rest]" : `[data-rest=${kind}]`;
  return [...(element?.querySelectorAll<HTMLElement>(selector) ?? [])].filter(isUsable);
}

function isUsable(element: Element): boolean {
  return element.isConnected && !element.matches(":disabled") && element.checkVisibility();
}

function ancestorsOf(element: Element): Element[] {
  const { parentElement } = element;
  return parentElement ? [parentElement, ...ancestorsOf(parentElement)] : [];
}
