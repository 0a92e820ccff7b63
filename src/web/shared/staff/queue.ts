/**
 * Owns how a page names the queue that it shows.
 *
 * **Invariants**
 * - What can be no queue's name is taken for the counter.
 */
export const COUNTER = "default";

export function queueOf(text: string): string {
  return /^[\w-]{1,64}$/.test(text) ? text : COUNTER;
}
