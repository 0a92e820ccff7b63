/** Owns the last answer to a question that a staff page asks again and again. */
import { Newest } from "../newest.ts";
import type { Answer } from "./api.ts";

export class Latest<Value> {
  readonly #ask: () => Promise<Answer<Value>>;
  readonly #asked = new Newest();
  #value = $state.raw<Value>();

  constructor(ask: () => Promise<Answer<Value>>) {
    this.#ask = ask;
  }

  /** Undefined until the first answer is here. */
  get value(): Value | undefined {
    return this.#value;
  }

  refresh(): Promise<Answer<Value>> {
    return this.take(this.#ask());
  }

  /** Takes the answer to another question that shows the same. */
  async take(asked: Promise<Answer<Value>>): Promise<Answer<Value>> {
    const isNewest = this.#asked.begin();
    const answer = await asked;
    if (answer.kind === "done" && isNewest()) this.#value = answer.value;
    return answer;
  }
}
