/**
 * Owns that one press moves one card: when a card goes, the next one slides to where the finger or the mouse still is.
 *
 * **Invariants**
 * - Of the presses on one spot, one alone moves a card until the page has come to rest.
 * - The same is true of the presses of one key.
 * - Other spots, other keys and fields that are typed in work at any time.
 * - After another key, the held one works again.
 */

/** From the press on: longer than the second half of a double tap takes, shorter than reading the next card. */
const REST_MS = 700;
/** From the move on, where the shop was slow to answer. */
const MOVED_MS = 400;
/** A finger's width around a tap, CSS pixels. */
const SPOT_PX = 48;

type Press =
  | { readonly kind: "key"; readonly key: string; readonly ms: number }
  | { readonly kind: "spot"; readonly x: number; readonly y: number; readonly ms: number };

const EVENTS = ["keydown", "pointerdown", "click"] as const;

export class Guard {
  #last: Press | undefined;
  /** Presses whose cards are moving, or came to rest a moment ago. */
  readonly #held = new Set<Press>();
  #isHeld = $state(false);

  /** Whether any spot or key is held just now. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Hears each press before the page does; returns how to stop. */
  watch(): () => void {
    for (const type of EVENTS) addEventListener(type, this.#hear, { capture: true });
    return () => {
      for (const type of EVENTS) removeEventListener(type, this.#hear, { capture: true });
    };
  }

  /** Does what moves cards, or puts something over them, and holds the press that asked for it. */
  async moving(act: () => unknown): Promise<void> {
    const press = this.#last;
    if (press) this.#held.add(press);
    this.#isHeld = this.#held.size > 0;
    try {
      await act();
    } finally {
      if (press) this.#release(press);
    }
  }

  #release(press: Press): void {
    const restMs = Math.max(press.ms + REST_MS - performance.now(), MOVED_MS);
    setTimeout(() => {
      this.#held.delete(press);
      this.#isHeld = this.#held.size > 0;
    }, restMs);
  }

  readonly #hear = (event: Event): void => {
    const press = event instanceof KeyboardEvent ? pressOfKey(event) : this.#pressOf(event as MouseEvent);
    if (!press) return;
    const isHeld = [...this.#held].some((held) => isSame(held, press));
    if (isHeld || isRepeated(event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (event.type !== "pointerdown") {
      this.#last = press;
      if (press.kind === "key") this.#freeKeys();
    }
  };

  /** A key that is pressed after another one is meant: Enter, Tab, Enter presses two buttons. */
  #freeKeys(): void {
    for (const held of this.#held) if (held.kind === "key") this.#held.delete(held);
    this.#isHeld = this.#held.size > 0;
  }

  /**
   * A click without a pointer comes from a key, which was heard before, or from a screen reader: there the button
   * counts.
   */
  #pressOf({ detail, type, clientX: x, clientY: y, target, timeStamp: ms }: MouseEvent): Press | undefined {
    if (detail > 0 || type === "pointerdown") return { kind: "spot", x, y, ms };
    if (this.#last?.kind === "key" && ["enter", " "].includes(this.#last.key)) return undefined;
    if (!(target instanceof Element)) return undefined;
    const { left, top, width, height } = target.getBoundingClientRect();
    return { kind: "spot", x: left + width / 2, y: top + height / 2, ms };
  }
}

function pressOfKey({ key, target, timeStamp: ms }: KeyboardEvent): Press | undefined {
  const isTyping = target instanceof Element && target.matches("input:not([type=radio]), textarea, select");
  return isTyping ? undefined : { kind: "key", key: key.toLowerCase(), ms };
}

/** A key that is held down presses a button again and again. */
function isRepeated(event: Event): boolean {
  return (
    event instanceof KeyboardEvent &&
    event.repeat &&
    ["Enter", " "].includes(event.key) &&
    event.target instanceof HTMLButtonElement
  );
}

function isSame(held: Press, press: Press): boolean {
  if (held.kind === "key") return press.kind === "key" && press.key === held.key;
  return press.kind === "spot" && Math.hypot(press.x - held.x, press.y - held.y) <= SPOT_PX;
}
