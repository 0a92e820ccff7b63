/** What is shipped beside the server: the image, the composed shop, and which packages come along. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { REDIS } from "../src/redis/embedded/server.ts";
import { installProgram } from "../src/redis/install.ts";
import { TestNginx } from "./support/nginx.ts";
import { freePort, silent } from "./support/redis.ts";
import { withoutRights } from "./support/rights.ts";
import { startServer } from "./support/server.ts";
import { until } from "./support/until.ts";

const root = join(import.meta.dir, "..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpour-delivery-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("Dockerfile", () => {
  /** What buildah 1.28 (Debian 12) and Docker 20.10 know. */
  const KNOWN: Readonly<Record<string, readonly string[]>> = {
    FROM: ["platform"],
    COPY: ["from", "chown", "chmod"],
    HEALTHCHECK: ["interval", "timeout", "start-period", "retries"],
  };
  const instructions = read("Dockerfile")
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");

  test("has no flag that older builders refuse", () => {
    expect(instructions.map((line) => line.split(" ", 1)[0] ?? "")).toContain("HEALTHCHECK");
    const unknown = instructions.flatMap((line) => {
      const [name = "", ...words] = line.split(/\s+/);
      const first = words.findIndex((word) => !word.startsWith("--"));
      const flags = words.slice(0, first).map((word) => word.slice(2).replace(/=.*/, ""));
      return flags.filter((flag) => !KNOWN[name]?.includes(flag)).map((flag) => `${name} --${flag}`);
    });
    expect(unknown).toEqual([]);
  });

  test("probes every 10 s at least, so that a new container is healthy soon", () => {
    const probe = instructions.find((line) => line.startsWith("HEALTHCHECK")) ?? "";
    expect(Number(/--interval=(\d+)s/.exec(probe)?.[1])).toBeLessThanOrEqual(10);
  });

  test("installs without running any package's script", () => {
    const installs = instructions.filter((line) => line.includes("bun install"));
    expect(installs).toHaveLength(1);
    for (const install of installs) expect(install.split(" ")).toContain("--ignore-scripts");
  });
});

describe("compose.yaml", () => {
  interface Service {
    readonly user?: string;
    readonly cap_drop?: readonly string[];
    readonly cap_add?: readonly string[];
    readonly privileged?: boolean;
    readonly security_opt?: readonly string[];
  }
  const { services } = Bun.YAML.parse(read("compose.yaml")) as { services: Readonly<Record<string, Service>> };

  test.each(Object.keys(services))("%s has no capability and can gain none", (name) => {
    const service = services[name] ?? {};
    expect(service.cap_drop).toEqual(["ALL"]);
    expect(service.cap_add ?? []).toEqual([]);
    expect(service.privileged ?? false).toBe(false);
    expect(service.security_opt).toContain("no-new-privileges:true");
    // Of the server's own image the Dockerfile says who runs it.
    if (name === "app") expect(read("Dockerfile")).toContain("\nUSER bun\n");
    else expect([name, "nobody", "59000", "472"]).toContain(service.user ?? "root");
  });

  test("its nginx serves without any right", async () => {
    const server = await startServer();
    await using nginx = await TestNginx.start([server]);
    expectNoRights(nginx.pid);
    expect((await fetch(`${nginx.customers}/livez`)).status).toBe(200);
    await server.stop();
  });

  test("its Redis starts and writes to disk without any right", async () => {
    // Where the tests run, the folder of the checkout may be closed to others.
    const conf = join(folder, "redis.conf");
    copyFileSync(join(root, "redis/redis.conf"), conf);
    const port = freePort();
    const command = [await installProgram(REDIS, { log: silent }), conf, "--port", String(port), "--dir", folder];
    const child = Bun.spawn([...(await withoutRights(folder)), ...command], { stdio: ["ignore", "ignore", "ignore"] });
    const redis = new Redis(port, "127.0.0.1", { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on("error", () => {});
    try {
      await until(async () => child.exitCode !== null || (await redis.ping()) === "PONG", "Redis answers");
      expect(await redis.set("order", "latte")).toBe("OK");
      expectNoRights(child.pid);
      expect(existsSync(join(folder, "appendonlydir"))).toBe(true);
    } finally {
      redis.disconnect();
      child.kill("SIGKILL");
      await child.exited;
    }
  });

  /** Where the system says so (Linux). */
  function expectNoRights(pid: number): void {
    const file = `/proc/${pid}/status`;
    if (!existsSync(file)) return;
    const status = readFileSync(file, "utf8");
    const valueOf = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
    expect(["CapEff", "CapPrm", "CapInh", "CapAmb"].map((name) => Number.parseInt(valueOf(name), 16))).toEqual([
      0, 0, 0, 0,
    ]);
    expect(valueOf("Uid")).not.toBe("0");
  }
});

describe("packages", () => {
  interface Bill {
    readonly bomFormat: string;
    readonly components: readonly {
      readonly purl: string;
      readonly licenses?: readonly unknown[];
      readonly hashes: readonly unknown[];
    }[];
    readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
  }

  test("none is trusted to run a script, not even those that Bun trusts by itself", () => {
    // Other clients than Bun ask the second.
    const manifest = JSON.parse(read("package.json")) as { trustedDependencies?: unknown; scarfSettings?: unknown };
    expect(manifest.trustedDependencies).toEqual([]);
    expect(manifest.scarfSettings).toEqual({ enabled: false });
  });

  test("an install runs no script of a package, telemetry least of all", async () => {
    for (const file of ["package.json", "bun.lock", "bunfig.toml"]) copyFileSync(join(root, file), join(folder, file));
    // Whatever Node program the install runs, the scripts' among them, leaves its arguments.
    const ran = join(folder, "ran");
    const note = join(folder, "note.cjs");
    writeFileSync(note, `require("node:fs").appendFileSync(${JSON.stringify(ran)}, process.argv.join(" ") + "\\n");`);
    const child = Bun.spawn([process.execPath, "install", "--frozen-lockfile"], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: `--require=${note}`, SCARF_ANALYTICS: "false" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const output = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
    expect({ exitCode: await child.exited, output }).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(folder, "node_modules/@scarf/scarf/package.json"))).toBe(true);
    expect(existsSync(ran) ? readFileSync(ran, "utf8") : "").toBe("");
    expect(output).toMatch(/Blocked \d+ postinstall/);
  });

  test("the bill of materials names what the image ships, each with its licence and its hash, and nothing else", async () => {
    for (const file of ["package.json", "bun.lock"]) copyFileSync(join(root, file), join(folder, file));
    const flags = /bun install (.+)/.exec(read("Dockerfile"))?.[1]?.split(" ") ?? [];
    expect(Bun.spawnSync([process.execPath, "install", ...flags], { cwd: folder }).exitCode).toBe(0);
    const shipped = [...new Bun.Glob("**/package.json").scanSync({ cwd: join(folder, "node_modules"), dot: true })]
      .filter((path) => /(^|\/node_modules\/)(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
      .map((path) => JSON.parse(readFileSync(join(folder, "node_modules", path), "utf8")) as Record<string, unknown>)
      .map(({ name, version }) => `${String(name)}@${String(version)}`);
    const print = (): string => Bun.spawnSync([process.execPath, join(root, "tools/sbom.ts")]).stdout.toString();
    const { bomFormat, components, dependencies } = JSON.parse(print()) as Bill;
    expect(bomFormat).toBe("CycloneDX");
    const named = components.map(({ purl }) => decodeURIComponent(purl.replace("pkg:npm/", "")));
    expect(named.toSorted()).toEqual(shipped.toSorted());
    for (const { licenses, hashes } of components) expect([licenses?.length, hashes.length]).toEqual([1, 1]);
    const swagger = dependencies.find(({ ref }) => ref.startsWith("pkg:npm/swagger-ui-dist@"));
    expect(swagger?.dependsOn).toEqual([expect.stringMatching(/^pkg:npm\/%40scarf\/scarf@/)]);
    expect(print()).toBe(print());
  });
});
