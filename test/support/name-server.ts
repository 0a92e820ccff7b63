/**
 * Owns a name server for tests: it speaks DNS over UDP, and answers as a test says, another way each time.
 *
 * **Invariants**
 * - What is asked for beyond the answers given gets the last one again.
 */
import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";

export class NameServer {
  /** How often an address was asked for. */
  asked = 0;
  readonly #socket: Socket;
  readonly #resolver = new Resolver({ tries: 1, timeout: 5000 });
  readonly #answers: readonly (readonly string[])[];

  private constructor(socket: Socket, answers: readonly (readonly string[])[]) {
    this.#socket = socket;
    this.#answers = answers;
    this.#resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    socket.on("message", (query, peer) => socket.send(this.#answer(query), peer.port, peer.address));
  }

  /** Each answer is a list of IPv4 addresses. */
  static async open(answers: readonly (readonly string[])[]): Promise<NameServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new NameServer(socket, answers);
  }

  readonly lookup = (name: string): Promise<string[]> => this.#resolver.resolve4(name);

  close(): void {
    this.#resolver.cancel();
    this.#socket.close();
  }

  /** RFC 1035: the question again, and a record of type A for each address. */
  #answer(query: Buffer): Buffer {
    const addresses = this.#answers[Math.min(this.asked, this.#answers.length - 1)] ?? [];
    this.asked += 1;
    const questionEnd = query.indexOf(0, 12) + 5;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(addresses.length > 0 ? 0x81_80 : 0x81_83, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]),
    );
    return Buffer.concat([head, query.subarray(12, questionEnd), ...records]);
  }
}
