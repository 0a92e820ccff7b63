/**
 * Owns how a port serves its pages (`src/web`) and what belongs to them.
 * Always holds: everything comes from this server, under a policy that runs and loads nothing else; a page is built once, when
 * it is first asked for, and never from what a request says.
 */
import { join } from "node:path";
import { Elysia } from "elysia";
import type { Log } from "../log.ts";
import { problem } from "../problem.ts";
import type { PageFile } from "./build-pages.ts";
import { OPEN, Unrouted } from "./gate.ts";

const BUILDER = join(import.meta.dir, "build-pages.ts");

// A page may ask this server, and nobody else. Its pictures may also be data: URLs, as a QR code that the server drew.
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A file as it is sent, squeezed once. */
interface ReadyFile {
  readonly plain: string;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** By the name of the page, or of the asset. */
interface Site {
  readonly pages: ReadonlyMap<string, ReadyFile>;
  readonly assets: ReadonlyMap<string, ReadyFile>;
}

/** Routes by path, such as `{"/": "customer"}`, and `/assets/:file` with what these pages need. */
export function pageRoutes(paths: Readonly<Record<string, string>>, log: Log) {
  let building: Promise<Site> | undefined;
  /** Everybody who asks meanwhile waits for the same build; after one that failed, the next request tries again. */
  const findSite = (): Promise<Site> => {
    building ??= buildSite(Object.values(paths), log).catch((error: unknown) => {
      building = undefined;
      throw error;
    });
    return building;
  };

  const app = new Elysia();
  for (const [path, page] of Object.entries(paths)) {
    app.get(path, async ({ request }) => answerFile((await findSite()).pages.get(page), request), HIDDEN);
  }
  return app.get(
    "/assets/:file",
    async ({ request, params: { file } }) => answerFile((await findSite()).assets.get(file), request),
    HIDDEN,
  );
}

/**
 * Pages are for browsers: the OpenAPI document describes what programs use. They tell nothing of the shop: a page asks its reader
 * for the token, and sends it.
 */
const HIDDEN = { detail: { hide: true, ...OPEN } };

function answerFile(file: ReadyFile | undefined, request: Request): Response {
  if (!file) {
    const detail = "No page has a file of this name; after an update, load the page again.";
    throw new Unrouted(problem("route_unknown", { detail }));
  }
  const { headers } = file;
  if (request.headers.get("if-none-match")?.includes(file.tag)) {
    return new Response(null, { status: 304, headers });
  }
  // Who forbids it with `q=0` gets it plain.
  if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers.get("accept-encoding") ?? "")) {
    return new Response(file.plain, { headers });
  }
  return new Response(file.gzipped, { headers: { ...headers, "Content-Encoding": "gzip" } });
}

async function buildSite(names: readonly string[], log: Log): Promise<Site> {
  const begunAt = performance.now();
  const files = await runBuilder(names);
  const readyFiles = (kind: PageFile["kind"]): ReadonlyMap<string, ReadyFile> =>
    new Map(files.filter((file) => file.kind === kind).map((file) => [file.name, makeReady(file)]));
  const site = { pages: readyFiles("page"), assets: readyFiles("asset") };
  log.debug({ pages: names, ms: Math.round(performance.now() - begunAt) }, "pages built");
  return site;
}

/** Runs the builder as a process of its own; rejects with what it printed when it fails. */
async function runBuilder(names: readonly string[]): Promise<PageFile[]> {
  const [bun = "bun"] = Bun.argv;
  const builder = Bun.spawn([bun, BUILDER, ...names], {
    // The plugin adds hot reloading unless this says production.
    env: { NODE_ENV: "production" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, complaints, exitCode] = await Promise.all([
    builder.stdout.text(),
    builder.stderr.text(),
    builder.exited,
  ]);
  if (exitCode !== 0) throw new Error(`the pages ${names.join(", ")} can't be built: ${complaints}`);
  return JSON.parse(output) as PageFile[];
}

function makeReady({ kind, type, text }: PageFile): ReadyFile {
  // Weak: it stands for the plain and for the squeezed bytes.
  const tag = `W/"${Bun.hash(text).toString(36)}"`;
  return {
    plain: text,
    gzipped: Bun.gzipSync(text, { level: 9 }),
    tag,
    headers: {
      "Content-Type": type,
      "Content-Security-Policy": CONTENT_SECURITY_POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      // An asset's name changes with its content; a page must always name the newest.
      "Cache-Control": kind === "asset" ? "public, max-age=31536000, immutable" : "no-cache",
      ETag: tag,
      Vary: "Accept-Encoding",
    },
  };
}
