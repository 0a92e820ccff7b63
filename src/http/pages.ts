/**
 * Owns how a port serves its pages (`src/web`) and what belongs to them.
 *
 * **Invariants**
 * - Everything comes from this server, under a policy that runs and loads nothing else but what the port names.
 * - A page is built once, when it is first asked for, and never from what a request says.
 */
import { join } from "node:path";
import { Elysia } from "elysia";
import type { Log } from "../log.ts";
import { problem } from "../problem.ts";
import type { PageFile } from "./build-pages.ts";
import { OPEN, Unrouted } from "./gate.ts";
import { answerReady, makeReady, type ReadyFile } from "./ready-file.ts";

/** A second on most machines; with a processor that is busy otherwise, much longer. */
const BUILD_TIMEOUT_MS = 120_000;

const BUILDER = join(import.meta.dir, "build-pages.ts");

/** Origins beside this server that a port's pages may use, such as https://js.stripe.com. */
export interface Elsewhere {
  readonly scripts: readonly string[];
  readonly frames: readonly string[];
  /** Those that a page may ask. */
  readonly servers: readonly string[];
}

const NOWHERE: Elsewhere = { scripts: [], frames: [], servers: [] };

interface PageOptions {
  readonly log: Log;
  readonly elsewhere?: Elsewhere | undefined;
}

// A page may ask this server, and others only where the port names them. Its pictures may also be data: URLs, as a QR
// code that the server drew.
function policyFor({ scripts, frames, servers }: Elsewhere): string {
  return [
    "default-src 'none'",
    ["script-src 'self'", ...scripts].join(" "),
    "style-src 'self'",
    "img-src 'self' data:",
    ["connect-src 'self'", ...servers].join(" "),
    ...(frames.length > 0 ? [["frame-src", ...frames].join(" ")] : []),
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** By the name of the page, or of the asset. */
interface Site {
  readonly pages: ReadonlyMap<string, ReadyFile>;
  readonly assets: ReadonlyMap<string, ReadyFile>;
}

/** Routes by path, such as `{"/": "customer"}`, and `/assets/:file` with what these pages need. */
export function pageRoutes(paths: Readonly<Record<string, string>>, { log, elsewhere = NOWHERE }: PageOptions) {
  const policy = policyFor(elsewhere);
  let built: Site | undefined;
  let building: Promise<Site> | undefined;
  const build = async (): Promise<Site> => {
    try {
      built = await buildSite(Object.values(paths), { log, policy });
      return built;
    } finally {
      building = undefined;
    }
  };
  /** All who ask meanwhile wait for the same build; after one that failed, the next request tries again. */
  const findSite = async (): Promise<Site> => built ?? (await (building ??= build()));

  const app = new Elysia();
  for (const [path, page] of Object.entries(paths)) {
    app.get(path, async ({ request }) => answerFile((await findSite()).pages.get(page), request), HIDDEN);
  }
  return app.get(
    "/assets/:file",
    async ({ params: { file }, request }) => answerFile((await findSite()).assets.get(file), request),
    HIDDEN,
  );
}

/**
 * Pages are for browsers: the OpenAPI document describes what programs use. They show nothing of the shop: a page asks
 * its reader for the token, and sends it.
 */
const HIDDEN = { detail: { hide: true, ...OPEN } };

function answerFile(file: ReadyFile | undefined, request: Request): Response {
  if (!file) {
    const detail = "No page has a file of this name; after an update, load the page again.";
    throw new Unrouted(problem("route_unknown", { detail }));
  }
  return answerReady(file, request);
}

async function buildSite(
  names: readonly string[],
  { log, policy }: { readonly log: Log; readonly policy: string },
): Promise<Site> {
  const begunAt = performance.now();
  const files = await runBuilder(names);
  const makeKind = async (kind: PageFile["kind"]): Promise<ReadonlyMap<string, ReadyFile>> => {
    const wanted = files.filter((file) => file.kind === kind);
    return new Map(await Promise.all(wanted.map(async (file) => [file.name, await makePage(file, policy)] as const)));
  };
  const site = { pages: await makeKind("page"), assets: await makeKind("asset") };
  log.debug({ pages: names, ms: Math.round(performance.now() - begunAt) }, "pages built");
  return site;
}

/** Runs the builder as a process of its own; rejects with what it printed when it fails. */
async function runBuilder(names: readonly string[]): Promise<PageFile[]> {
  const [bun = "bun"] = Bun.argv;
  const builder = Bun.spawn([bun, BUILDER, ...names], {
    // The plugin adds hot reloading unless this says production.
    env: { NODE_ENV: "production" },
    timeout: BUILD_TIMEOUT_MS,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, complaints, exitCode] = await Promise.all([
    builder.stdout.text(),
    builder.stderr.text(),
    builder.exited,
  ]);
  if (builder.signalCode !== null)
    throw new Error(`the pages ${names.join(", ")} were not built: ${builder.signalCode}`);
  if (exitCode !== 0) throw new Error(`the pages ${names.join(", ")} can't be built: ${complaints}`);
  return JSON.parse(output) as PageFile[];
}

function makePage({ kind, type, text }: PageFile, policy: string): Promise<ReadyFile> {
  return makeReady(text, {
    "Content-Type": type,
    "Content-Security-Policy": policy,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    // An asset's name changes with its content; a page must always name the newest.
    "Cache-Control": kind === "asset" ? "public, max-age=31536000, immutable" : "no-cache",
  });
}
