/** Owns which of several questions that overlap is the newest: its answer counts. */
export class Newest {
  #count = 0;

  /** To be called as a question is asked; what it returns says whether no newer one was asked since. */
  begin(): () => boolean {
    this.#count += 1;
    const mine = this.#count;
    return () => mine === this.#count;
  }
}
