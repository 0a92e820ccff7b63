/** What each promise came to: `fulfilled`, or the message that it rejected with. */
export async function endings(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(promises);
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.status : String(outcome.reason)));
}
