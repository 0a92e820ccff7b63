/**
 * Owns what is done once a turn of the event loop.
 *
 * **Invariants**
 * - Items of one turn are handed over together, in the order in which they came.
 */

/** Resolves once all that has arrived by now is dealt with. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Makes the function that takes an item: at the end of the turn `handOver` gets all that came. */
export function gatherTurn<Item>(handOver: (items: Item[]) => void): (item: Item) => void {
  let items: Item[] = [];
  const endTurn = (): void => {
    const all = items;
    items = [];
    handOver(all);
  };
  return (item) => {
    if (items.length === 0) setImmediate(endTurn);
    items.push(item);
  };
}
