/** Owns the live display of the runs, on standard error; without a terminal a plain line now and then. */
import { SingleBar } from "cli-progress";

const PLAIN_EVERY_MS = 10_000;

export interface Progress {
  /** Shows which run begins. */
  readonly onRun: (run: { readonly text: string; readonly index: number; readonly total: number }) => void;
  readonly stop: () => void;
}

export function showProgress(scenario: string): Progress {
  const bar = new SingleBar({
    format: "{scenario}  [{bar}] {value}/{total}  {duration_formatted}  {text}",
    barsize: 20,
    noTTYOutput: true,
    notTTYSchedule: PLAIN_EVERY_MS,
    gracefulExit: false,
    hideCursor: true,
  });
  let total = 1;
  bar.start(total, 0, { scenario, text: "" });
  return {
    onRun: (run) => {
      total = run.total;
      bar.setTotal(total);
      bar.update(run.index, { text: run.text });
    },
    stop: () => bar.stop(),
  };
}
