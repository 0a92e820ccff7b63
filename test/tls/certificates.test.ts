/** Owns the tests of certificates.ts: which pairs are served, and why others are not. */
import { beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judge, readFiles } from "../../src/tls/certificates.ts";
import { Authority, type Pair } from "../support/certificates.ts";

const authority = new Authority("shop-authority");
const folder = mkdtempSync(join(tmpdir(), "longpour-faults-"));
let pair: Pair;

beforeAll(() => {
  pair = authority.issue("shop");
});

async function faultsOf(files: Partial<Pair> & { readonly staffCa?: string }): Promise<readonly string[]> {
  const judged = judge(await readFiles({ ...pair, staffCa: undefined, ...files }));
  return judged.kind === "faults" ? judged.faults : [];
}

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test("a pair that fits is ready, alone, as a chain, and with an authority of staff", async () => {
  expect(await faultsOf({})).toEqual([]);
  const chain = write("chain.pem", readFileSync(pair.cert, "utf8") + authority.pem);
  expect(await faultsOf({ cert: chain, staffCa: authority.path })).toEqual([]);
  const judged = judge(await readFiles({ ...pair, staffCa: authority.path }));
  if (judged.kind !== "ready") throw new Error(judged.faults.join());
  const { notAfterMs, ...texts } = judged.certificates;
  expect(texts).toEqual({
    cert: readFileSync(pair.cert, "utf8"),
    key: readFileSync(pair.key, "utf8"),
    staffCa: authority.pem,
  });
  expect(Math.round((notAfterMs - Date.now()) / 86_400_000)).toBe(30);
});

test("each fault is named with its setting and its file, all at once", async () => {
  const nowhere = join(folder, "nowhere.pem");
  expect(await faultsOf({ cert: nowhere, key: folder, staffCa: write("empty.pem", "") })).toEqual([
    `TLS_CERT: ${nowhere} is missing`,
    `TLS_KEY: ${folder} is no file`,
    `STAFF_TLS_CA: ${folder}/empty.pem holds no certificate in PEM`,
  ]);
});

test("a file that may not be read, or is far too long, is named", async () => {
  const closed = write("closed.pem", "x");
  chmodSync(closed, 0);
  const isReadable = process.getuid?.() === 0;
  const [said = ""] = await faultsOf({ key: closed });
  expect(said).toBe(
    `TLS_KEY: ${closed} ${isReadable ? "holds no private key that can be read (PEM, without a passphrase)" : "can't be read (EACCES)"}`,
  );
  const long = write("long.pem", "x".repeat(1024 * 1024 + 1));
  expect(await faultsOf({ cert: long })).toEqual([`TLS_CERT: ${long} is longer than 1048576 bytes`]);
});

test("a certificate whose time is over, or has not begun, is not served", async () => {
  const old = authority.issue("old", { fromDays: -30, toDays: -1 });
  expect((await faultsOf(old))[0]).toMatch(/^TLS_CERT: \S+old\.pem expired on \d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const early = authority.issue("early", { fromDays: 1, toDays: 2 });
  expect((await faultsOf(early))[0]).toMatch(/^TLS_CERT: \S+early\.pem is not valid before \d{4}-/);
});

test("an RSA key that is too short for customers' programs is named with its length, and a longer one is served", async () => {
  const makeRsa = (bits: number): Pair => {
    const made = { key: join(folder, `rsa-${bits}.key`), cert: join(folder, `rsa-${bits}.pem`) };
    const files = ["-keyout", made.key, "-out", made.cert];
    const kind = ["-newkey", `rsa:${bits}`, "-nodes", "-days", "2", "-subj", "/CN=shop"];
    expect(Bun.spawnSync(["openssl", "req", "-x509", ...kind, ...files]).exitCode).toBe(0);
    return made;
  };
  const short = makeRsa(1024);
  expect(await faultsOf(short)).toEqual([
    `TLS_KEY: ${short.key} is an RSA key of 1024 bits: customers' programs refuse less than 2048`,
  ]);
  expect(await faultsOf(makeRsa(2048))).toEqual([]);
});

test("a key of another certificate, none, and one with a passphrase are named", async () => {
  const { key } = authority.issue("other");
  expect(await faultsOf({ key })).toEqual([`TLS_KEY: ${key} is not the key of TLS_CERT, ${pair.cert}`]);
  expect(await faultsOf({ key: pair.cert })).toEqual([
    `TLS_KEY: ${pair.cert} holds no private key that can be read (PEM, without a passphrase)`,
  ]);
  const locked = join(folder, "locked.key");
  Bun.spawnSync(["openssl", "pkcs8", "-topk8", "-in", pair.key, "-out", locked, "-passout", "pass:hush"]);
  expect(await faultsOf({ key: locked })).toEqual([
    `TLS_KEY: ${locked} holds no private key that can be read (PEM, without a passphrase)`,
  ]);
});

test("what is no certificate inside is named, and nothing that a file holds is repeated", async () => {
  const broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\naHVzaC1odXNo\n-----END CERTIFICATE-----\n");
  const said = await faultsOf({ cert: broken, key: write("secret.key", "hush-hush") });
  expect(said).toHaveLength(2);
  expect(said[0]).toBe(`TLS_CERT: ${broken} holds a certificate that can't be read`);
  expect(said.join()).not.toMatch(/hush|aHVz/);
});

test("an authority of staff is one, and valid: an old one may stand beside its successor", async () => {
  const old = new Authority("old-authority", { toDays: -1 });
  const refused = (path: string) => [`STAFF_TLS_CA: ${path} holds no authority's certificate that is valid now`];
  expect(await faultsOf({ staffCa: old.path })).toEqual(refused(old.path));
  expect(await faultsOf({ staffCa: pair.cert })).toEqual(refused(pair.cert));
  expect(await faultsOf({ staffCa: write("both.pem", old.pem + authority.pem) })).toEqual([]);
});

test("a key that TLS does not take is a fault", async () => {
  const [parameters, cert, key] = ["dsa.parameters", "dsa.pem", "dsa.key"].map((name) => join(folder, name));
  if (!parameters || !cert || !key) throw new Error("no paths");
  const made = ["req", "-x509", "-newkey", `dsa:${parameters}`, "-nodes", "-subj", "/CN=dsa", "-days", "3"];
  Bun.spawnSync(["openssl", "dsaparam", "-out", parameters, "1024"]);
  Bun.spawnSync(["openssl", ...made, "-keyout", key, "-out", cert]);
  expect((await faultsOf({ cert, key }))[0]).toStartWith(`TLS_CERT: ${cert} can't be used with TLS_KEY (`);
});
