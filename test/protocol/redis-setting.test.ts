/**
 * REDIS_URL: a wrong one, or a Redis that can't serve, ends the server with one line, and no secret stands in any
 * output.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installProgram, type Program } from "../../src/redis/install.ts";
import { ask, brew, expectOrder, order } from "../support/http.ts";
import { freePort, silent, TestRedis } from "../support/redis.ts";
import { startRefusedServer, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

const OPENSSL: Program = {
  names: ["openssl"],
  packages: {
    "apt-get": "openssl",
    dnf: "openssl",
    apk: "openssl",
    pacman: "openssl",
    zypper: "openssl",
    brew: "openssl",
  },
  byHand: "install OpenSSL",
};

/** Its one line. */
async function refusedWith(environment: Record<string, string>, exitCode: number): Promise<string> {
  const refused = await startRefusedServer(environment);
  if (refused.exitCode !== exitCode) throw new Error(`not ${exitCode} but ${refused.exitCode}: ${refused.output}`);
  const lines = refused.output.trim().split("\n");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toStartWith("longpour: ");
  return refused.output;
}

test.each([
  "redis://:hush#hush@127.0.0.1:6379",
  "redis://:hush/hush@127.0.0.1:6379",
  "redis://:hush%whush@127.0.0.1:6379",
  "redis://:hush?hush@127.0.0.1:6379",
  "redis://:hushhush@localhost:notaport",
  "redis://localhost:notaport",
  "rediss//:hushhush@localhost",
])("%s: one line that names the setting, exit code 2, and nothing of the password", async (url) => {
  const said = await refusedWith({ REDIS_URL: url }, 2);
  expect(said).toContain("REDIS_URL");
  expect(said).not.toContain("hush");
});

test("a database that does not exist: one line, exit code 2", async () => {
  const redis = await TestRedis.start();
  expect(await refusedWith({ REDIS_URL: `${redis.url}/99` }, 2)).toContain("database 99");
  await redis.stop();
});

test("a data folder that can't be used, as in a container: REDIS_URL is named", async () => {
  expect(await refusedWith({ DATA_DIR: "/proc/nowhere" }, 1)).toContain("REDIS_URL");
});

test("a user with the rights of .env.example serves a whole order; without INFO it is one line", async () => {
  const redis = await TestRedis.start();
  const admin = redis.connect();
  const rights = ["~{guarded}:*", "&{guarded}:*", "+@all", "-@admin", "-@dangerous", "+info", "+client|unblock"];
  await admin.call("ACL", "SETUSER", "guest", "on", ">hush#hush", ...rights);
  const environment = { REDIS_URL: redis.url.replace("//", "//guest:hush%23hush@"), SHOP: "guarded" };
  const server = await startServer({ ...environment, LOG_LEVEL: "trace" });
  const held = order(server);
  await brew(server, "wait=10&barista=Grace");
  expectOrder(await held, { status: "ready" });
  expect((await ask(`${server.customers}/readyz`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
  expect(JSON.stringify(server.log())).not.toMatch(/hush|denies/);
  await admin.call("ACL", "SETUSER", "guest", "-info");
  const said = await refusedWith(environment, 1);
  expect(said).toContain("'info'");
  expect(said).toContain(`ACL SETUSER guest ${rights.join(" ")}`);
  expect(said).not.toContain("hush");
  admin.disconnect();
  await redis.stop();
});

test("rediss:// with an authority of one's own: NODE_EXTRA_CA_CERTS names it, and without it that is said", async () => {
  const folder = mkdtempSync(join(tmpdir(), "longpour-tls-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const openssl = await installProgram(OPENSSL, { log: silent });
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = Bun.spawnSync(
    [
      openssl,
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      key,
      "-out",
      certificate,
      ...subject,
    ],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  expect(made.exitCode).toBe(0);
  const port = freePort();
  const tls = ["--tls-port", String(port), "--tls-cert-file", certificate, "--tls-key-file", key];
  const redis = await TestRedis.start(...tls, "--tls-auth-clients", "no", "--tls-ca-cert-file", certificate);
  const environment = { REDIS_URL: `rediss://127.0.0.1:${port}` };
  expect(await refusedWith(environment, 1)).toContain("NODE_EXTRA_CA_CERTS");
  const server = await startServer({ ...environment, NODE_EXTRA_CA_CERTS: certificate });
  const held = order(server);
  await brew(server);
  expectOrder(await held, { status: "ready" });
  expect(await server.stop()).toBe(0);
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});
