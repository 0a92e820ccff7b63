/**
 * A customer whose network vanishes without a word. Signs of life that are never acknowledged end the connection: the
 * kernel gives up after net.ipv4.tcp_retries2 retries. It is low here; docs/operations.md says what that means at other
 * values. Quiet: a network interface that comes or goes ends what browsers load (net::ERR_NETWORK_CHANGED), and so the
 * pages' tests.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { ask } from "../support/http.ts";
import { Network, WHY_NONE } from "../support/namespaces.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(180_000);

/** To measure another value: VANISHED_RETRIES=8 bun test test/protocol/vanished.quiet.test.ts. */
const RETRIES = Number(process.env["VANISHED_RETRIES"] ?? 3);
/**
 * The first retry comes after 0.2 s, each further one after twice as long, and after the last it is waited for once
 * more.
 */
const GIVES_UP_SECONDS = 0.2 * (2 ** (RETRIES + 1) - 1);
const HEARTBEAT_SECONDS = 1;
const TOKEN = "hush-hush-42";
const main = fileURLToPath(import.meta.resolve("../../src/main.ts"));

test.skipIf(WHY_NONE !== undefined)(
  `a customer whose network vanishes frees their seat, and their order goes on${WHY_NONE ? ` (skipped: ${WHY_NONE})` : ""}`,
  async () => {
    using network = Network.open(RETRIES);
    const folder = mkdtempSync(join(tmpdir(), "longpour-vanished-"));
    const server = Bun.spawn(network.within(network.server, [process.execPath, main]), {
      env: {
        PATH: process.env["PATH"],
        DATA_DIR: folder,
        STAFF_TOKEN: TOKEN,
        HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS),
      },
      stdio: ["ignore", "ignore", "ignore"],
    });
    try {
      const baristas = `http://${network.serverFromTest}:8001`;
      const headers = { Authorization: `Bearer ${TOKEN}` };
      const look = async () => (await ask(`${baristas}/queue`, { headers })).body as { held: number; depth: number };
      const held = () =>
        look()
          .then((queue) => queue.held)
          .catch(() => -1);
      await until(async () => (await held()) === 0, "the server answers", 60_000);

      const order = `http://${network.serverFromCustomer}:8000/order/`;
      const customer = Bun.spawn(
        network.within(network.customer, [process.execPath, "-e", `await fetch("${order}", { method: "POST" })`]),
        { stdio: ["ignore", "ignore", "ignore"] },
      );
      await until(async () => (await held()) === 1, "the customer is held", 30_000);
      const cutAt = performance.now();
      network.cut();
      const bound = (HEARTBEAT_SECONDS + GIVES_UP_SECONDS) * 1000;
      // The machine may be busy: what is measured here is that it ends, and by the kernel's doing.
      await until(async () => (await held()) === 0, "the seat is free", bound + 60_000);
      if (process.env["VANISHED_RETRIES"])
        console.log(`free after ${((performance.now() - cutAt) / 1000).toFixed(1)} s`);
      expect(await look()).toMatchObject({ held: 0, depth: 1 });
      customer.kill("SIGKILL");
      await customer.exited;
    } finally {
      server.kill("SIGTERM");
      await server.exited;
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
