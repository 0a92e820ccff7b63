/**
 * Owns what happens when file descriptors run out: which port takes no more connections, and when it takes some again.
 *
 * Bun asks for the next connection again and again while it has no descriptor for it: all of a processor, and not a
 * word. So each port has descriptors in reserve. When no other is left, the port is closed to newcomers and its reserve
 * freed, for connections to Redis and for the ports behind it. It opens again once the reserve can be filled, with room
 * to spare.
 *
 * **Invariants**
 * - Ports are closed in the order given, and opened again in reverse: the baristas' port closes last.
 * - A shortage is one line in the log when it begins, and one when it is over.
 * - Ports that open and close in between add no line.
 */
import type { Log } from "../log.ts";
import type { PortSocket } from "./port-socket.ts";
import { canOpen, SpareFiles } from "./open-files.ts";

const LOOK_EVERY_MS = 200;
/** Fewer left than this is none. */
const FEW = 4;
/** Left beyond the reserve when a port opens again. */
const ROOM = 16;
/** A port that is closed stays so for this long, and a shortage is over when every port was open for that long. */
const MIN_PAUSE_MS = 2000;
const OVER_AFTER_MS = 30_000;

export interface ReservedPort {
  readonly socket: PortSocket;
  /** Descriptors in reserve while it is open. */
  readonly reserve: number;
}

export class DescriptorReserve {
  readonly #ports: readonly { readonly socket: PortSocket; readonly spares: SpareFiles }[];
  readonly #log: Log;
  readonly #timer: ReturnType<typeof setInterval>;
  #beganAt: number | undefined;
  #changedAt = 0;
  #couldNotOpen = false;

  constructor(ports: readonly ReservedPort[], log: Log) {
    this.#log = log;
    this.#ports = ports.map(({ socket, reserve }) => ({ socket, spares: new SpareFiles(reserve) }));
    for (const { spares } of this.#ports) spares.take();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Ports stay as they are from now on. */
  close(): void {
    clearInterval(this.#timer);
    for (const { spares } of this.#ports) spares.release();
  }

  #look(): void {
    const now = performance.now();
    if (!canOpen(FEW)) return this.#closeNext(now);
    if (this.#beganAt === undefined || now - this.#changedAt < MIN_PAUSE_MS) return;
    const closed = this.#ports.findLast(({ socket }) => !socket.isOpen);
    if (closed) this.#openAgain(closed, now);
    else if (now - this.#changedAt > OVER_AFTER_MS) this.#end(now);
  }

  #closeNext(now: number): void {
    const next = this.#ports.find(({ socket }) => socket.isOpen);
    if (!next) return;
    next.socket.pause();
    next.spares.release();
    this.#changedAt = now;
    if (this.#beganAt !== undefined) return;
    this.#beganAt = now;
    this.#log.warn(
      { port: next.socket.name },
      "out of file descriptors: new connections are refused until others end; lower MAX_HELD, or raise ulimit -n",
    );
  }

  #openAgain({ socket, spares }: { socket: PortSocket; spares: SpareFiles }, now: number): void {
    if (!spares.take()) return;
    if (!canOpen(ROOM)) return spares.release();
    try {
      socket.resume();
      this.#changedAt = now;
      this.#couldNotOpen = false;
    } catch (error) {
      spares.release();
      if (!this.#couldNotOpen) this.#log.error({ err: error }, "a port can't be opened again: it is tried on");
      this.#couldNotOpen = true;
    }
  }

  #end(now: number): void {
    const seconds = Math.round((now - (this.#beganAt ?? now)) / 1000);
    this.#beganAt = undefined;
    this.#log.info({ shortage_seconds: seconds }, "file descriptors are left again: all ports take connections");
  }
}
