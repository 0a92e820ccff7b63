/**
 * Owns the file in which everybody who makes an order notes when they begin and when they have done it.
 *
 * **Invariants**
 * - A line is a word (begin, end), the order's id, the kind of maker, its process, and milliseconds since 1970.
 * - A line is one write to the end of the file, so that all processes of a machine can share it.
 * - A making without an end is over when its process was killed.
 */
import { appendFileSync, readFileSync } from "node:fs";

/** Of the makers. Shell scripts write the same lines. */
export const KINDS = ["machine", "client", "program", "curl"] as const;
export type Kind = (typeof KINDS)[number];

interface Making {
  readonly kind: Kind;
  readonly pid: number;
  readonly beginMs: number;
  /** Undefined: it was cut short. */
  endMs: number | undefined;
}

/** By order, as they began. */
export type Makings = ReadonlyMap<string, readonly Making[]>;

/** Where this process, a maker, is to note what it makes. */
const FILE = process.env["MAKINGS"] ?? "";

/** Makes an order: what becomes of input `n` is its square. It takes a little time. */
export async function makeSquare(kind: Kind, orderId: string, input: unknown): Promise<{ n: number; square: number }> {
  const { n } = input as { readonly n: number };
  note("begin", orderId, kind);
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 40));
  note("end", orderId, kind);
  return { n, square: n * n };
}

function note(word: "begin" | "end", orderId: string, kind: Kind): void {
  appendFileSync(FILE, `${word} ${orderId} ${kind} ${process.pid} ${Date.now()}\n`);
}

export function readMakings(file: string): Makings {
  const makings = new Map<string, Making[]>();
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const [word = "", orderId = "", kind = "", pid, atMs] = line.split(" ");
    const ofOrder = makings.get(orderId) ?? [];
    makings.set(orderId, ofOrder);
    if (word === "begin")
      ofOrder.push({ kind: kind as Kind, pid: Number(pid), beginMs: Number(atMs), endMs: undefined });
    const begun = ofOrder.findLast((making) => making.pid === Number(pid) && making.endMs === undefined);
    if (word === "end" && begun) begun.endMs = Number(atMs);
  }
  return makings;
}

/** How many makings each kind has ended, and how many were cut short. */
export function countMakings(makings: Makings): { readonly made: Record<Kind, number>; readonly cutShort: number } {
  const all = [...makings.values()].flat();
  const made = { machine: 0, client: 0, program: 0, curl: 0 };
  for (const { kind, endMs } of all) made[kind] += endMs === undefined ? 0 : 1;
  return { made, cutShort: all.filter(({ endMs }) => endMs === undefined).length };
}

/** Each making that began before another one of the same order was over; `killed`: when, by process. */
export function findOverlaps(makings: Makings, killed: ReadonlyMap<number, number>): string[] {
  return [...makings].flatMap(([orderId, ofOrder]) =>
    ofOrder.flatMap(({ kind, pid, endMs }, index) => {
      const overMs = endMs ?? killed.get(pid);
      if (overMs === undefined) return [`${orderId}: ${kind} ${pid} began it and never ended it`];
      const early = ofOrder.slice(index + 1).find(({ beginMs }) => beginMs < overMs);
      return early ? [`${orderId}: ${early.kind} ${early.pid} began it while ${kind} ${pid} made it`] : [];
    }),
  );
}
