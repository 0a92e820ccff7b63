/**
 * Owns what is drawn by chance where a work demand does not say it.
 *
 * **Invariants**
 * - What is drawn from the same seed is the same, so that a request sent again means the same.
 */
const LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";
const CODE_LENGTH = 10;
const MAX_DRAWN = 99;

/** What a demand's code begins with, by how it came: by `POST /work`, by `POST /queue/work/`, by the stream. */
type Origin = "api" | "queue" | "consumer";

export interface Drawn {
  /** 1 to 99. */
  readonly addUpTo: number;
  /** Ten letters or digits behind the origin. */
  readonly workCode: string;
}

/** Draws from a seed; without one, by chance. */
export function draw(origin: Origin, seed: string = crypto.randomUUID()): Drawn {
  const bytes = new Bun.CryptoHasher("sha256").update(seed).digest();
  // Each number is made of so many bits that none is noticeably likelier than another.
  const numberAt = (index: number): number => bytes.readUInt16BE(index * 2);
  const letters = Array.from(
    { length: CODE_LENGTH },
    (_, index) => LETTERS_AND_DIGITS[numberAt(index) % LETTERS_AND_DIGITS.length],
  );
  return { addUpTo: 1 + (numberAt(CODE_LENGTH) % MAX_DRAWN), workCode: `${origin}-${letters.join("")}` };
}
