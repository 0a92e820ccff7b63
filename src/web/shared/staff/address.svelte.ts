/**
 * Owns what a page keeps in its address, so that it can be linked, and "back" goes back.
 *
 * **Invariants**
 * - What is empty is not in the address, and names that the page does not know are dropped.
 */
type Values<Name extends string> = Readonly<Partial<Record<Name, string>>>;

export class Address<Name extends string> {
  readonly #names: readonly Name[];
  #values = $state.raw<Values<Name>>({} as Values<Name>);

  constructor(names: readonly Name[]) {
    this.#names = names;
    this.#read();
  }

  /** Empty where there is none. */
  get(name: Name): string {
    return this.#values[name] ?? "";
  }

  /** A link to this page with some of it changed. */
  linkTo(changes: Values<Name>): string {
    const query = new URLSearchParams();
    const values = { ...this.#values, ...changes };
    for (const name of this.#names) if (values[name]) query.set(name, values[name]);
    return query.size > 0 ? `?${query}` : location.pathname;
  }

  /** `isStep`: "back" undoes it. */
  set(changes: Values<Name>, isStep = true): void {
    const link = this.linkTo(changes);
    if (link === (location.search || location.pathname)) return;
    history[isStep ? "pushState" : "replaceState"](null, "", link);
    this.#read();
  }

  /** Follows a link to this page without loading it anew; a press that asks for another tab is the browser's. */
  follow(event: MouseEvent, changes: Values<Name>): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
    event.preventDefault();
    this.set(changes);
  }

  /** Follows "back" and "forward"; returns how to stop. */
  watch(): () => void {
    const read = (): void => this.#read();
    addEventListener("popstate", read);
    return () => removeEventListener("popstate", read);
  }

  #read(): void {
    const query = new URLSearchParams(location.search);
    this.#values = Object.fromEntries(this.#names.map((name) => [name, query.get(name) ?? ""])) as Values<Name>;
  }
}
