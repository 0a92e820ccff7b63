/** HTTPS of the server itself: what customers and baristas see, also while certificates change; who is let in. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { get } from "node:https";
import { connect } from "node:tls";
import { join } from "node:path";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Authority, curl, InstalledPair, shownBy, type Fetched, type Pair } from "../support/certificates.ts";
import { ask, type Ports } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startRefusedServer, startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const authority = new Authority("protocol-authority");
const staffAuthority = new Authority("staff-authority");
const otherAuthority = new Authority("other-authority");
const cacert = authority.path;
const [first, second] = [authority.issue("first"), authority.issue("second")];
const barista = staffAuthority.issue("ann", { extensions: "extendedKeyUsage=clientAuth" });
const ORDER = ["--header", "Content-Type: application/json", "--data", '{"item":"espresso"}'];
const RENEWED = "certificates were renewed: new connections see them";

const running: Server[] = [];

async function start(settings: Readonly<Record<string, string>>): Promise<Server> {
  const server = await startServer({ BARISTA_HOST: "127.0.0.1", ...settings });
  running.push(server);
  return server;
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

function countOf({ log }: Server, line: string): number {
  return log().filter(({ msg }) => msg === line).length;
}

async function waitFor(server: Server, line: string, count = 1): Promise<void> {
  await until(() => countOf(server, line) >= count, `the log says: ${line}`, 20_000);
}

/** Starts the oldest order once there is one, and finishes it; by that certificate where one is asked for. */
async function makeOne({ baristas }: Pick<Ports, "baristas">, client?: Pair): Promise<void> {
  const options = { cacert, ...(client ? { client } : undefined) };
  const started = await curl(`${baristas}/start/?barista=ann&wait=30`, options);
  const { order_id: id } = JSON.parse(started.body) as { order_id: string };
  const url = `${baristas}/finish/?order_id=${id}&barista=ann`;
  expect((await curl(url, { ...options, more: ["--request", "POST"] })).status).toBe(200);
}

function statusOf({ body }: Fetched): unknown {
  return (JSON.parse(body) as { status?: unknown }).status;
}

describe("a renewal", () => {
  test("an order that is held when the files are replaced is answered with 200, and both ports show the new one", async () => {
    const files = new InstalledPair(first);
    const server = await start(files.settings);
    expect([server.customers, server.baristas].map((url) => new URL(url).protocol)).toEqual(["https:", "https:"]);
    expect([await shownBy(server.customers), await shownBy(server.baristas)]).toEqual(["first", "first"]);
    const held = curl(`${server.customers}/order/`, { cacert, more: ORDER });
    await until(
      async () => (await curl(`${server.baristas}/queue`, { cacert })).body.includes('"held":1'),
      "it is held",
    );
    files.replace(second);
    await waitFor(server, RENEWED);
    expect([await shownBy(server.customers), await shownBy(server.baristas)]).toEqual(["second", "second"]);
    // What is held still counts, and a new one is held beside it.
    const next = curl(`${server.customers}/order/`, { cacert, more: ORDER });
    await makeOne(server);
    await makeOne(server);
    for (const answer of [await held, await next]) {
      expect(answer).toMatchObject({ exitCode: 0, status: 200 });
      expect(statusOf(answer)).toBe("ready");
    }
    const output = JSON.stringify(server.log());
    expect(output).not.toContain("BEGIN");
    expect(output).not.toContain(readFileSync(first.key, "utf8").split("\n")[1] ?? "no key");
  });

  test("a barista who waits for an order when the files are replaced gets it", async () => {
    const files = new InstalledPair(first);
    const server = await start(files.settings);
    const waiting = curl(`${server.baristas}/start/?barista=ann&wait=40`, { cacert });
    files.replace(second);
    await waitFor(server, RENEWED);
    void curl(`${server.customers}/order/`, { cacert, more: [...ORDER, "--header", "Prefer: respond-async"] });
    expect((await waiting).status).toBe(200);
  });

  test("a faulty one is a line, and the old pair stays", async () => {
    const files = new InstalledPair(first);
    const server = await start(files.settings);
    files.replace({ cert: authority.issue("old", { fromDays: -9, toDays: -2 }).cert });
    await waitFor(server, "renewed certificates can't be used: those before stay in force");
    expect(await shownBy(server.customers)).toBe("first");
    files.replace(second);
    await waitFor(server, RENEWED);
    expect(await shownBy(server.customers)).toBe("second");
  });

  test("an authority of staff that is replaced admits its own from then on, and the former's no more", async () => {
    const [files, staff] = [new InstalledPair(first), new InstalledPair({ ...first, cert: staffAuthority.path })];
    const server = await start({ ...files.settings, STAFF_TLS_CA: staff.cert });
    expect((await curl(`${server.baristas}/queue`, { cacert, client: barista })).status).toBe(200);
    staff.replace({ cert: otherAuthority.path });
    await waitFor(server, RENEWED);
    expect((await curl(`${server.baristas}/queue`, { cacert, client: barista })).status).toBe(0);
    const other = otherAuthority.issue("bob");
    expect((await curl(`${server.baristas}/queue`, { cacert, client: other })).status).toBe(200);
  });
});

describe("client certificates", () => {
  const settings = { ...new InstalledPair(first).settings, STAFF_TLS_CA: staffAuthority.path };

  test("the right one opens the baristas' port without a token; customers need none", async () => {
    const server = await start(settings);
    const held = curl(`${server.customers}/order/`, { cacert, more: ORDER });
    await makeOne(server, barista);
    expect((await held).status).toBe(200);
    const alone = "no STAFF_TOKEN: the baristas' port listens on this machine only";
    expect(countOf(server, alone)).toBe(0);
  });

  test("none, another authority's, one of its own making, an old one and a server's are refused in the handshake", async () => {
    const server = await start(settings);
    const wrong = [
      undefined,
      otherAuthority.issue("stranger"),
      { cert: otherAuthority.path, key: otherAuthority.issue("pretender").key },
      staffAuthority.issue("former", { fromDays: -9, toDays: -2 }),
      staffAuthority.issue("future", { fromDays: 2, toDays: 9 }),
      staffAuthority.issue("machine", { extensions: "extendedKeyUsage=serverAuth" }),
    ];
    for (const path of ["/queue", "/start/?barista=eve", "/livez", "/"]) {
      for (const client of wrong) {
        for (const version of ["1.2", "1.3"]) {
          const options = { cacert, ...(client ? { client } : undefined), more: ["--tls-max", version] };
          const { exitCode, status, body } = await curl(`${server.baristas}${path}`, options);
          expect({ status, body, isRefused: exitCode !== 0 }).toEqual({ status: 0, body: "", isRefused: true });
        }
      }
    }
    expect((await curl(`${server.baristas}/queue`, { cacert, client: barista })).status).toBe(200);
  });

  test.each(["1_2", "1_3"])("no connection resumes the session of another (TLS %s)", async (version) => {
    const { customers, baristas } = await start(settings);
    const session = join(mkdtempSync(join(tmpdir(), "longpour-session-")), "session");
    const say = async (url: string, path: string, ...more: string[]) => {
      const { host } = new URL(url);
      const options = ["-connect", host, `-tls${version}`, "-ign_eof", ...more];
      const child = Bun.spawn(["openssl", "s_client", ...options], {
        stdin: new Blob([`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`]),
        stdout: "pipe",
        stderr: "ignore",
        timeout: 10_000,
      });
      return await new Response(child.stdout).text();
    };
    const kept = ["-sess_out", session];
    expect(await say(baristas, "/queue", "-cert", barista.cert, "-key", barista.key, ...kept)).toContain(
      "HTTP/1.1 200",
    );
    if (existsSync(session)) expect(await say(baristas, "/queue", "-sess_in", session)).not.toContain("HTTP/1.1");
    // Customers' sessions are resumed, but by no other port.
    expect(await say(customers, "/livez", ...kept)).toContain("HTTP/1.1 200");
    const again = await say(customers, "/livez", "-sess_in", session);
    expect(again).toMatch(/^Reused/m);
    expect(again).toContain("HTTP/1.1 200");
    expect(await say(baristas, "/queue", "-sess_in", session)).not.toContain("HTTP/1.1");
  });

  test("a page of another site does not borrow the certificate that a browser shows", async () => {
    const { baristas } = await start(settings);
    const from = (...headers: string[]) => ({
      cacert,
      client: barista,
      more: headers.flatMap((header) => ["--header", header]),
    });
    expect((await curl(`${baristas}/queue`, from("Sec-Fetch-Site: cross-site"))).status).toBe(403);
    expect((await curl(`${baristas}/queue`, from("Origin: https://evil.test"))).status).toBe(403);
    expect((await curl(`${baristas}/queue`, from("Sec-Fetch-Site: same-origin"))).status).toBe(200);
    // Without a token, but not on this machine only.
    expect((await curl(`${baristas}/queue`, from("Host: coffee.test"))).status).toBe(200);
  });

  test("beside a token both are asked for", async () => {
    const { baristas } = await start({ ...settings, STAFF_TOKEN: "hush-hush-42" });
    const token = ["--header", "Authorization: Bearer hush-hush-42"];
    expect((await curl(`${baristas}/queue`, { cacert, client: barista, more: token })).status).toBe(200);
    expect((await curl(`${baristas}/queue`, { cacert, client: barista })).status).toBe(401);
    expect((await curl(`${baristas}/queue`, { cacert, more: token })).status).toBe(0);
  });
});

test.each([
  [
    "a missing file",
    { TLS_CERT: "/nowhere/cert.pem", TLS_KEY: first.key },
    /TLS_CERT: \/nowhere\/cert\.pem is missing/,
  ],
  ["a folder", { TLS_CERT: first.cert, TLS_KEY: "/tmp" }, /TLS_KEY: \/tmp is no file/],
  ["no key", { TLS_CERT: first.cert }, /TLS_KEY: is missing: HTTPS needs TLS_CERT and TLS_KEY/],
  ["what is no certificate", { TLS_CERT: first.key, TLS_KEY: first.key }, /TLS_CERT: \S+ holds no certificate in PEM/],
  ["another key", { TLS_CERT: first.cert, TLS_KEY: second.key }, /TLS_KEY: \S+ is not the key of TLS_CERT, \S+/],
  ["an expired certificate", named(authority.issue("old", { fromDays: -9, toDays: -2 })), /TLS_CERT: \S+ expired on 2/],
  ["one for later", named(authority.issue("later", { fromDays: 2, toDays: 9 })), /TLS_CERT: \S+ is not valid before 2/],
  ["no authority", { ...named(first), STAFF_TLS_CA: first.cert }, /STAFF_TLS_CA: \S+ holds no authority's certificate/],
])("%s keeps the server from starting, in one line", async (_, settings, said) => {
  // Before anything is opened: there is no such Redis.
  const refused = await startRefusedServer({ ...settings, REDIS_URL: "redis://127.0.0.1:1" });
  const lines = refused.output.split("\n").filter((line) => line !== "");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(new RegExp(`^longpour: wrong setting: ${said.source}`));
  expect(refused.exitCode).toBe(2);
});

function named({ cert, key }: Pair) {
  return { TLS_CERT: cert, TLS_KEY: key };
}

test("several faults are named at once", async () => {
  const settings = { TLS_CERT: "/nowhere/cert.pem", TLS_KEY: "/nowhere/key.pem", REDIS_URL: "redis://127.0.0.1:1" };
  const { exitCode, output } = await startRefusedServer(settings);
  expect(output).toContain("longpour: wrong settings:\n  TLS_CERT: ");
  expect(output).toContain("\n  TLS_KEY: ");
  expect(exitCode).toBe(2);
});

test("the log warns at start of a certificate that expires within 14 days", async () => {
  const files = new InstalledPair(authority.issue("ending", { toDays: 10.5 }));
  const server = await start(files.settings);
  const line = server.log().find(({ msg }) => msg === "the certificate of TLS_CERT expires soon: renew it");
  expect(line).toMatchObject({ level: "warn", days: 10 });
});

/** HSTS of an answer, whose body may have no end. */
async function bindingOf(url: string): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    const asked = get(url, { ca: authority.pem, agent: false }, (answer) => {
      resolve(answer.headers["strict-transport-security"]);
      answer.destroy();
    });
    asked.on("error", reject);
  });
}

describe("every answer", () => {
  const PATHS = ["/", "/livez", "/readyz", "/shop", "/menu", "/order/nothing", "/nowhere", "/swagger", "/swagger/json"];

  test("binds browsers to HTTPS where the server speaks it, and nowhere else", async () => {
    const server = await start(new InstalledPair(first).settings);
    for (const port of [server.customers, server.baristas]) {
      for (const path of [...PATHS, "/queue", "/order/", "//", "/events"]) {
        expect([path, await bindingOf(`${port}${path}`)]).toEqual([path, "max-age=31536000"]);
      }
      const post = await curl(`${port}/shop`, { cacert, more: ["--include", "--request", "POST"] });
      expect(post.body).toContain("Strict-Transport-Security");
    }
    const placed = await curl(`${server.customers}/order/`, {
      cacert,
      more: [...ORDER, "--include", "--header", "Prefer: respond-async"],
    });
    expect(placed.status).toBe(202);
    expect(placed.body).toContain("Strict-Transport-Security: max-age=31536000");
    const plain = await start({});
    for (const path of PATHS) {
      expect((await ask(plain.customers + path)).headers["strict-transport-security"]).toBeUndefined();
    }
  });

  test("comes only to a Host of three characters or more: paths are looked for behind it", async () => {
    const { customers } = await start(new InstalledPair(first).settings);
    const hosted = (host: string) => curl(`${customers}/livez`, { cacert, more: ["--header", `Host: ${host}`] });
    expect((await hosted("abc")).status).toBe(200);
    expect((await hosted("abc:443")).status).toBe(200);
    expect((await hosted("ab")).status).toBe(400);
    expect((await hosted("ab:443")).status).toBe(400);
    expect((await hosted("ab:8443")).status).toBe(200);
    const old = await curl(`${customers}/livez`, { cacert, more: ["--http1.0", "--header", "Host:"] });
    expect(old.status).toBe(200);
  });

  test("names addresses with https", async () => {
    const server = await start(new InstalledPair(first).settings);
    const code = JSON.parse((await curl(`${server.baristas}/code`, { cacert })).body) as { url: string };
    expect(code.url).toStartWith("https://");
    const opened = server.log().find(({ msg }) => String(msg).startsWith("open: customers https://"));
    expect(String(opened?.["swagger"])).toMatch(/^https:\/\/.+\/swagger$/);
  });
});

test("nginx, as documented: a held order is answered through it, and baristas show their certificates", async () => {
  const server = await start({ TRUSTED_PROXIES: "127.0.0.1" });
  await using nginx = await TestNginx.start([server], { https: { ...first, staffCa: staffAuthority.path } });
  const held = curl(`${nginx.customers}/order/`, { cacert, more: [...ORDER, "--include"] });
  expect((await curl(`${nginx.baristas}/queue`, { cacert })).status).toBe(400);
  const stranger = otherAuthority.issue("eve");
  expect((await curl(`${nginx.baristas}/queue`, { cacert, client: stranger })).status).toBe(400);
  await makeOne(nginx, barista);
  const { status, body } = await held;
  expect(status).toBe(200);
  expect(body.match(/^strict-transport-security: max-age=31536000\r$/gim)).toHaveLength(1);
});

test("a client that speaks plain HTTP gets nothing, and harms no other client", async () => {
  const { customers } = await start(new InstalledPair(first).settings);
  const plain = await curl(customers.replace("https:", "http:"), { cacert });
  expect(plain.status).toBe(0);
  expect((await curl(`${customers}/livez`, { cacert })).status).toBe(200);
});

test("the command line orders, works and measures by HTTPS, and shows its certificate", async () => {
  const server = await start({ ...new InstalledPair(first).settings, STAFF_TLS_CA: staffAuthority.path });
  const shown = { LONGPOUR_CERT: barista.cert, LONGPOUR_KEY: barista.key };
  const runIn = async (environment: Readonly<Record<string, string>>, ...words: string[]) => {
    const program = join(import.meta.dir, "../../src/cli/longpour.ts");
    const child = Bun.spawn([process.execPath, program, ...words], {
      env: {
        PATH: process.env.PATH,
        NODE_EXTRA_CA_CERTS: cacert,
        LONGPOUR_URL: server.customers,
        LONGPOUR_STAFF_URL: server.baristas,
        ...environment,
      },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { exitCode: await child.exited, output: out + err };
  };
  const run = (...words: string[]) => runIn(shown, ...words);
  const ordered = run("order", "espresso");
  await makeOne(server, barista);
  expect(await ordered).toMatchObject({ exitCode: 0 });
  const customers = run("customers", "--groups", "1", "--group-min", "1", "--group-max", "1");
  const works = ["baristas", "--baristas", "1", "--brew-min-seconds", "0", "--brew-max-seconds", "0", "--orders", "1"];
  expect(await run(...works)).toMatchObject({ exitCode: 0 });
  expect(await customers).toMatchObject({ exitCode: 0 });
  expect(await run("queue", "default")).toMatchObject({ exitCode: 0 });
  for (const words of [["queue", "default"], works]) {
    expect(await runIn({}, ...words)).toMatchObject({ exitCode: 1 });
  }
  const half = await runIn({ LONGPOUR_CERT: barista.cert }, "queue", "default");
  expect(half).toMatchObject({ exitCode: 2 });
  expect(half.output).toContain("LONGPOUR_CERT and LONGPOUR_KEY belong together");
  const unread = await runIn({ ...shown, LONGPOUR_KEY: "/nowhere" }, "queue", "default");
  expect(unread.output).toContain("LONGPOUR_KEY: /nowhere can't be read (ENOENT)");
  const measured = await run("doctor", "--url", server.customers, "--staff-url", server.baristas, "--max-seconds", "1");
  expect(measured.output).toContain("customers-port");
  expect(measured).toMatchObject({ exitCode: 0 });
  const refused = await runIn({}, "doctor", "--staff-url", server.baristas);
  expect(refused.output).toMatch(/^fault +baristas-port/m);
});

test("a connection whose answer was held through a renewal takes no further request", async () => {
  const files = new InstalledPair(first);
  const server = await start(files.settings);
  const { hostname, port } = new URL(server.baristas);
  const socket = connect({ host: hostname, port: Number(port), ca: readFileSync(cacert, "utf8") });
  let got = "";
  socket.on("data", (chunk: Buffer) => (got += chunk.toString()));
  let isClosed = false;
  socket.on("error", () => {}).on("close", () => (isClosed = true));
  socket.write(`GET /start/?barista=ann&wait=40 HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  files.replace(second);
  await waitFor(server, RENEWED);
  expect(got).toBe("");
  await curl(`${server.customers}/order/`, { cacert, more: [...ORDER, "--header", "Prefer: respond-async"] });
  await until(() => got.startsWith("HTTP/1.1 200"), "the held request is answered");
  if (!isClosed) socket.write(`GET /queue HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  await until(() => isClosed, "the connection is closed");
  expect(got).not.toContain('"depth"');
});
