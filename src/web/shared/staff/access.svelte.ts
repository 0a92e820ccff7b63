/**
 * Owns what a staff page keeps on its device: the staff token, and the barista's name.
 *
 * **Invariants**
 * - A token that the server refused is asked for again, and nothing else of the shop is kept.
 */

/** The state in which a page asks for the token; undefined: it does not ask. */
export interface Lock {
  /** Why a token is asked for again. */
  readonly complaint?: string;
}

/** As localStorage; a browser may refuse it, and then nothing is kept. */
export interface DeviceStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const TOKEN = "longpour.staff_token";
const NAME = "longpour.barista";

export class Access {
  readonly #storage: DeviceStorage;
  #lock = $state.raw<Lock>();
  #name = $state("");
  #token: string | undefined;

  constructor(storage: DeviceStorage) {
    this.#storage = storage;
    this.#token = this.#read(TOKEN);
    this.#name = this.#read(NAME) ?? "";
  }

  get lock(): Lock | undefined {
    return this.#lock;
  }

  /** The barista's name; empty until it was given. */
  get name(): string {
    return this.#name;
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** A token to be tried; it is kept once the server took it. */
  offer(token: string): void {
    this.#token = token.trim() || undefined;
  }

  /** The server took the token, or wants none. */
  accept(): void {
    this.#write(TOKEN, this.#token);
    this.#lock = undefined;
  }

  /** The server refused `given`. That of one which was replaced meanwhile is no news. */
  refuse(given: string | undefined, complaint?: string): void {
    if (given !== this.#token) return;
    this.#write(TOKEN, undefined);
    this.#lock = given === undefined || complaint === undefined ? {} : { complaint };
  }

  /** Leaves nothing of the token on this device. */
  forget(): void {
    this.#token = undefined;
    this.#write(TOKEN, undefined);
    this.#lock = {};
  }

  rename(name: string): void {
    this.#write(NAME, name.trim());
    this.#name = name.trim();
  }

  #read(name: string): string | undefined {
    try {
      return this.#storage.getItem(name) || undefined;
    } catch {
      return undefined;
    }
  }

  #write(name: string, value: string | undefined): void {
    try {
      if (value) this.#storage.setItem(name, value);
      else this.#storage.removeItem(name);
    } catch {
      // A private window: it is asked for again next time.
    }
  }
}
