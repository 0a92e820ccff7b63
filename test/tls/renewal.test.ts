/** Owns the tests of renewal.ts: what changes for whom when files are replaced. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createApp } from "../../src/http/app.ts";
import { PortSocket } from "../../src/http/port-socket.ts";
import { createLogTo } from "../../src/log.ts";
import { judge, readFiles, type Https } from "../../src/tls/certificates.ts";
import { Renewal, type CertifiedPort } from "../../src/tls/renewal.ts";
import { Authority, curl, InstalledPair, shownBy } from "../support/certificates.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const authority = new Authority("renewing-authority");
const [first, second] = [authority.issue("first"), authority.issue("second")];
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Line {
  readonly level: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function createLines() {
  const lines: Line[] = [];
  const keep = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, text, fields: { ...fields } });
  const target = { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
  return { lines, log: createLogTo(target, { level: "info", secrets: [] }) };
}

async function readHttps(files: InstalledPair): Promise<Https> {
  const named = { cert: files.cert, key: files.key, staffCa: undefined };
  const reading = await readFiles(named);
  const judged = judge(reading);
  if (judged.kind === "faults") throw new Error(judged.faults.join());
  return { files: named, certificates: judged.certificates, digest: reading.digest };
}

/** Looks at the files every few milliseconds until the test ends. */
function watch({ files, ...inForce }: Https, ports: readonly CertifiedPort[]) {
  const { lines, log } = createLines();
  const renewal = new Renewal({ files, inForce, ports, log, lookEveryMs: 20 });
  closers.push(() => renewal.close());
  return lines;
}

/** A port whose requests of `/held` are held until the release. */
function openPort({ certificates: tls }: Https) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let held = 0;
  const app = createApp(createLines().log, { isSecure: true }).get("/held", async () => {
    held += 1;
    await released;
    return new Response("done");
  });
  const port = new PortSocket(app, { host: "127.0.0.1", port: 0, name: "testers", setting: "NONE", tls });
  closers.push(() => port.cut());
  return { port, release, heldNow: () => held };
}

test("a held request lives through renewals, and new connections see the new certificate", async () => {
  const files = new InstalledPair(first);
  const https = await readHttps(files);
  const { port, release, heldNow } = openPort(https);
  const lines = watch(https, [port]);
  const held = curl(`${port.url}/held`, { cacert: authority.path });
  await until(() => heldNow() === 1, "a request is held");
  for (const [pair, name, renewals] of [[second, "second", 1] as const, [first, "first", 2] as const]) {
    files.replace(pair);
    await until(() => lines.length === renewals, "the renewal is logged");
    expect(await shownBy(port.url)).toBe(name);
  }
  for (const line of lines) {
    expect(line).toMatchObject({ level: "info", text: "certificates were renewed: new connections see them" });
  }
  release();
  expect(await held).toEqual({ exitCode: 0, status: 200, body: "done" });
});

test("a faulty renewal is one line, and the old pair stays; the right one comes into force", async () => {
  const files = new InstalledPair(first);
  const https = await readHttps(files);
  const { port } = openPort(https);
  const lines = watch(https, [port]);
  // The key is late.
  files.replace({ cert: second.cert });
  await until(() => lines.length > 0, "the fault is logged");
  expect(lines[0]).toMatchObject({
    level: "error",
    text: "renewed certificates can't be used: those before stay in force",
    fields: { faults: [`TLS_KEY: ${files.key} is not the key of TLS_CERT, ${files.cert}`] },
  });
  expect(await shownBy(port.url)).toBe("first");
  writeFileSync(files.key, "hush-hush");
  await until(() => lines.length > 1, "another fault is logged");
  expect(await shownBy(port.url)).toBe("first");
  expect(JSON.stringify(lines)).not.toContain("hush");
  files.replace({ key: second.key });
  await until(() => lines.length > 2, "the renewal is logged");
  expect(lines.map(({ level }) => level)).toEqual(["error", "error", "info"]);
  expect(await shownBy(port.url)).toBe("second");
});

test("a paused port shows the new certificate once it opens again; a stopped one stays closed", async () => {
  const files = new InstalledPair(first);
  const https = await readHttps(files);
  const { port } = openPort(https);
  port.pause();
  const lines = watch(https, [port]);
  files.replace(second);
  await until(() => lines.length === 1, "the renewal is logged");
  expect(await shownBy(port.url)).toBe("none");
  port.resume();
  expect(await shownBy(port.url)).toBe("second");
  await port.stop(1);
  files.replace(first);
  await until(() => lines.length === 2, "the next renewal is logged");
  expect(await shownBy(port.url)).toBe("none");
});

test("a port that can't be opened again is one line, and is tried at each look", async () => {
  const files = new InstalledPair(first);
  let tries = 0;
  const taken = {
    renew: () => {
      throw new Error("taken");
    },
    resume: () => {
      tries += 1;
      if (tries < 3) throw new Error("taken");
    },
  };
  const lines = watch(await readHttps(files), [taken]);
  files.replace(second);
  await until(() => tries === 3, "the port opens");
  expect(lines.map(({ level, text }) => `${level} ${text}`)).toEqual([
    "error a port can't be opened again: it is tried on",
    "info certificates were renewed: new connections see them",
  ]);
});

test("the log warns of the end of a certificate 14 days before, once for each certificate", async () => {
  const warningsOf = async (toDays: number) => {
    const files = new InstalledPair(authority.issue(`for-${toDays}`, { toDays }));
    const lines = watch(await readHttps(files), []);
    // A renewal takes two looks, at least: meanwhile no warning comes again.
    files.replace(second);
    await until(() => lines.some(({ level }) => level === "info"), "the renewal is logged");
    return lines
      .filter(({ level }) => level !== "info")
      .map(({ level, text, fields }) => `${level} ${text} ${String(fields["days"])}`);
  };
  expect(await warningsOf(15)).toEqual([]);
  expect(await warningsOf(13.5)).toEqual(["warn the certificate of TLS_CERT expires soon: renew it 13"]);
  expect(await warningsOf(0.5)).toEqual(["warn the certificate of TLS_CERT expires soon: renew it 0"]);
});

test("the log warns of a renewed certificate too, where that ends soon", async () => {
  const files = new InstalledPair(authority.issue("ends-first", { toDays: 9.5 }));
  const lines = watch(await readHttps(files), []);
  files.replace(authority.issue("ends-second", { toDays: 4.5 }));
  await until(() => lines.length > 2, "the second warning is logged");
  expect(lines.map(({ level, fields }) => [level, fields["days"]])).toEqual([
    ["warn", 9],
    ["info", undefined],
    ["warn", 4],
  ]);
});

test("a certificate that expires in force is an error", async () => {
  const https = await readHttps(new InstalledPair(first));
  const lines = watch({ ...https, certificates: { ...https.certificates, notAfterMs: Date.now() + 200 } }, []);
  expect(lines.map(({ level }) => level)).toEqual(["warn"]);
  await until(() => lines.length > 1, "the end is logged");
  expect(lines[1]).toMatchObject({
    level: "error",
    text: "the certificate of TLS_CERT has expired: clients refuse it",
  });
});
