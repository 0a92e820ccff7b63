/** How long a connection may be silent. */
import { expect, mock, test } from "bun:test";
import { SilenceWatch } from "../../src/client/silence.ts";
import { until } from "../support/until.ts";

/** Long enough that a busy machine does not take it for silence. */
const MAX_MS = 500;

test("silence is noticed, from the first moment on", async () => {
  const onSilence = mock();
  const watch = new SilenceWatch(5, onSilence);
  await until(() => onSilence.mock.calls.length === 1, "it is noticed");
  watch.stop();
});

test("what comes in time puts it off", async () => {
  const onSilence = mock();
  const watch = new SilenceWatch(MAX_MS, onSilence);
  const beganMs = performance.now();
  while (performance.now() - beganMs < 2 * MAX_MS) {
    watch.heard();
    await Bun.sleep(10);
  }
  expect(onSilence).not.toHaveBeenCalled();
  watch.stop();
});

test("nothing is noticed once the watch is over, whatever comes late", async () => {
  const onSilence = mock();
  const watch = new SilenceWatch(5, onSilence);
  watch.stop();
  watch.heard();
  await Bun.sleep(30);
  expect(onSilence).not.toHaveBeenCalled();
});
