/**
 * Owns the live display: one line a group of counters, on standard error, so that standard output holds the summary
 * alone.
 *
 * **Invariants**
 * - It only reads the counters, when it draws.
 * - Without a terminal it writes plain lines every ten seconds.
 */
import { MultiBar } from "cli-progress";

/** One line of the display. `total` may grow; when it is left out the line has no bar. */
export type Line = {
  readonly name: string;
  readonly total?: () => number;
  readonly done: () => number;
  readonly counters: () => Readonly<Record<string, number>>;
};

const PLAIN_EVERY_MS = 10_000;

/** Shows `lines` until the function it returns is called, which draws them once more. */
export function showProgress(lines: readonly Line[]): () => void {
  const bars = new MultiBar({
    fps: 5,
    barsize: 24,
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: PLAIN_EVERY_MS,
    gracefulExit: false,
  });
  const width = Math.max(...lines.map(({ name }) => name.length));
  const shown = lines.map((line) => ({
    line,
    bar: bars.create(0, 0, { text: "" }, { format: formatOf(line, width) }),
  }));
  const refresh = () => {
    for (const { line, bar } of shown) {
      bar.setTotal(line.total?.() ?? 0);
      bar.update(line.done(), { text: textOf(line) });
    }
  };
  bars.on("update-pre", refresh);
  return () => {
    refresh();
    bars.stop();
  };
}

function formatOf({ name, total }: Line, width: number): string {
  return `${name.padEnd(width)}  ${total ? "[{bar}] {value}/{total}  " : ""}{text}`;
}

/** The first two counters always, the others once they count, so that a line fits a terminal. */
function textOf({ counters }: Line): string {
  return Object.entries(counters())
    .filter(([, count], index) => index < 2 || count > 0)
    .map(([label, count]) => `${label} ${count}`)
    .join(" · ");
}
