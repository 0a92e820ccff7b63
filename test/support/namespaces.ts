/**
 * Owns the tests' networks: a server and its customer, each in a network namespace of its own, and a cable between
 * them.
 *
 * **Invariants**
 * - Nothing reaches the machine's own network but the cable to the test itself.
 * - Namespaces and cables are gone when the test disposes of them.
 */
const EXISTS = Bun.which("ip") !== null && process.getuid?.() === 0 && run("ip", "netns", "list").exitCode === 0;

/** Why there can be none here; undefined where there can. */
export const WHY_NONE = EXISTS ? undefined : "network namespaces need root and iproute2";

/** The test's own end, the server's, and both ends of the customer's cable. */
const TEST = "10.213.7.1";
const SERVER = "10.213.7.2";
const TO_CUSTOMER = "10.213.8.1";
const CUSTOMER = "10.213.8.2";

export class Network implements Disposable {
  readonly #name = `lp${crypto.randomUUID().slice(0, 6)}`;
  /** Where the test and the customer reach the server. */
  readonly serverFromTest = SERVER;
  readonly serverFromCustomer = TO_CUSTOMER;

  /** `retries`: net.ipv4.tcp_retries2 of the server's namespace. */
  static open(retries: number): Network {
    const network = new Network();
    const { server, customer } = network;
    const [testEnd, serverEnd, near, far] = ["t", "s", "n", "f"].map((end) => `${network.#name}${end}`);
    try {
      for (const line of [
        `netns add ${server}`,
        `netns add ${customer}`,
        `link add ${testEnd} type veth peer name ${serverEnd} netns ${server}`,
        `link add ${near} netns ${server} type veth peer name ${far} netns ${customer}`,
        `addr add ${TEST}/30 dev ${testEnd}`,
        `link set ${testEnd} up`,
        `-n ${server} addr add ${SERVER}/30 dev ${serverEnd}`,
        `-n ${server} addr add ${TO_CUSTOMER}/30 dev ${near}`,
        `-n ${customer} addr add ${CUSTOMER}/30 dev ${far}`,
        `-n ${server} link set lo up`,
        `-n ${server} link set ${serverEnd} up`,
        `-n ${server} link set ${near} up`,
        `-n ${customer} link set ${far} up`,
      ])
        ip(line);
      ip(`netns exec ${server} sh -c`, `echo ${retries} > /proc/sys/net/ipv4/tcp_retries2`);
    } catch (error) {
      network[Symbol.dispose]();
      throw error;
    }
    return network;
  }

  /** The customer's cable is cut: no FIN, no RST, nothing comes any more. */
  cut(): void {
    ip(`-n ${this.customer} link del ${this.#name}f`);
  }

  get server(): string {
    return `${this.#name}-server`;
  }

  get customer(): string {
    return `${this.#name}-customer`;
  }

  /** A command that runs in a namespace. */
  within(namespace: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", namespace, ...command];
  }

  [Symbol.dispose](): void {
    // What was not made yet can't be taken away.
    run("ip", "link", "del", `${this.#name}t`);
    run("ip", "netns", "del", this.server);
    run("ip", "netns", "del", this.customer);
  }
}

function ip(line: string, ...rest: readonly string[]): void {
  const { exitCode, stderr } = run("ip", ...line.split(" "), ...rest);
  if (exitCode !== 0) throw new Error(`ip ${line}: ${stderr.toString()}`);
}

function run(...command: readonly string[]) {
  return Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
}
