/**
 * Owns how much room each order of a column gets: in how many tiles, how big its number is, and whether facts stand
 * beside it.
 *
 * **Invariants**
 * - Every tile lies in the column, and every number in its tile, whatever font the screen has.
 * - Numbers come first: facts give way before a number becomes hard to read.
 * - Orders without a tile are counted; they are only left out where their numbers would be too small.
 */

/** `beside` the number, `below` it, or the number `alone`. */
type Form = "beside" | "below" | "alone";

/** All lengths but the shares are in units: one per cent of the screen's width, or so. */
export interface Grid {
  readonly form: Form;
  readonly columns: number;
  readonly rows: number;
  /** How many orders have a tile; the others are counted in a last one. */
  readonly shown: number;
  /** The font size of the numbers. */
  readonly number: number;
}

export interface Room {
  /** Orders. */
  readonly count: number;
  /** Of the longest number. */
  readonly digits: number;
  readonly width: number;
  readonly height: number;
  /** How wide the widest digit of the screen's font is, in ems. */
  readonly digitWidth: number;
  /** How high the font's line is, in ems. */
  readonly lineHeight: number;
}

/** The space that a tile needs besides its number, and between it and the next. */
export interface Frame {
  readonly gap: number;
  readonly border: number;
  readonly inline: number;
  readonly block: number;
}

const ROOMY: Frame = { gap: 0.8, border: 0.15, inline: 1, block: 0.3 };
export const FRAMES: Readonly<Record<Form, Frame>> = {
  beside: ROOMY,
  below: ROOMY,
  alone: { gap: 0.3, border: 0.15, inline: 0.15, block: 0.1 },
};
/** A line of facts, and what is between a number and facts beside it. */
export const FACTS = { line: 2.4, gap: 1 } as const;

/** So that one order is no wall of a number. */
const MIN_ROWS = 5;
/** Less room than this shows no name. */
const MIN_FACTS_WIDTH = 10;
/** Numbers that stand without facts are bigger than this would be. */
const MIN_NUMBER_WITH_FACTS = 2.7;
/** Smaller ones can't be read from the counter. */
const MIN_NUMBER = 1.4;
/** Of a tile's height: more would crowd it. */
const MAX_SHARE_OF_HEIGHT = 0.85;
/** Measured lengths are whole pixels. */
const EXACT = 0.97;

export function gridOf(room: Room): Grid {
  const columns = Array.from({ length: Math.max(1, room.count) }, (_, index) => index + 1);
  const withFacts = columns.flatMap((wide) => [fit(room, "beside", wide), fit(room, "below", wide)]);
  const best = biggest(withFacts);
  if (best && best.number >= MIN_NUMBER_WITH_FACTS) return best;
  const alone = biggest(columns.map((wide) => fit(room, "alone", wide)));
  if (alone && alone.number >= MIN_NUMBER) return alone;
  return overfull(room);
}

/** As many as can be read. */
function overfull({ digits, width, height, digitWidth, lineHeight }: Room): Grid {
  const { gap, border, inline, block } = FRAMES.alone;
  const countFitting = (length: number, size: number, padding: number): number =>
    Math.max(1, Math.floor((length + gap) / (size + 2 * (padding + border) + gap)));
  const columns = countFitting(width, (MIN_NUMBER * digits * digitWidth) / EXACT, inline);
  const rows = countFitting(height, MIN_NUMBER / shareOfHeight(lineHeight), block);
  return { form: "alone", columns, rows, shown: columns * rows - 1, number: MIN_NUMBER };
}

/** So many columns of tiles of one form, with the biggest number that lies in them. */
function fit({ count, digits, width, height, digitWidth, lineHeight }: Room, form: Form, columns: number): Grid {
  const rows = Math.max(MIN_ROWS, Math.ceil(count / columns));
  const { gap, border, inline, block } = FRAMES[form];
  const wide = (width + gap) / columns - gap - 2 * (inline + border);
  const high = (height + gap) / rows - gap - 2 * (block + border);
  const forNumber = {
    beside: { wide: wide - FACTS.gap - MIN_FACTS_WIDTH, high: high < FACTS.line ? 0 : high },
    below: { wide: wide < MIN_FACTS_WIDTH ? 0 : wide, high: high - FACTS.line },
    alone: { wide, high },
  }[form];
  const number = Math.min(forNumber.high * shareOfHeight(lineHeight), (forNumber.wide * EXACT) / (digits * digitWidth));
  return { form, columns, rows, shown: count, number: Math.max(0, number) };
}

function biggest(grids: readonly Grid[]): Grid | undefined {
  return grids.reduce<Grid | undefined>((best, grid) => (best && best.number >= grid.number ? best : grid), undefined);
}

/**
 * How big a number may be beside the height of its place: with all that its font keeps above and below, it lies in it.
 */
function shareOfHeight(lineHeight: number): number {
  return Math.min(MAX_SHARE_OF_HEIGHT, EXACT / lineHeight);
}
