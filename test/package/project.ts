/**
 * Owns a fresh project that has this package, as `npm pack` makes it, and nothing else of this checkout.
 *
 * **Invariants**
 * - It needs no network: what the package depends on is linked from this checkout, by its own list.
 * - It is gone when it is disposed of.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import manifest from "../../package.json";

const root = join(import.meta.dir, "../..");
const modules = join(root, "node_modules");

interface Run {
  readonly exitCode: number;
  readonly output: string;
}

export class FreshProject implements Disposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Packs the package, and unpacks it into a project of its own. */
  static async create(): Promise<FreshProject> {
    const project = new FreshProject(mkdtempSync(join(tmpdir(), "longpour-project-")));
    const installed = join(project.folder, "node_modules/longpour");
    mkdirSync(installed, { recursive: true });
    const archive = await project.#pack();
    await Bun.$`tar -xzf ${archive} -C ${installed} --strip-components=1`.quiet();
    for (const name of [...Object.keys(manifest.dependencies), "@types/bun"]) project.#link(name);
    await project.write("package.json", JSON.stringify({ name: "fresh", private: true, type: "module" }));
    return project;
  }

  /** Runs a command there, to its end. */
  async run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    const child = this.start(command, environment);
    const [out, err, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { exitCode, output: out + err };
  }

  start(command: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const env = { PATH: process.env.PATH, HOME: this.folder, ...environment };
    return Bun.spawn([...command], { cwd: this.folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  }

  async write(name: string, text: string): Promise<void> {
    await Bun.write(join(this.folder, name), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** With npm where there is one, which is what people publish with. */
  async #pack(): Promise<string> {
    const programs = join(this.folder, "programs");
    mkdirSync(programs);
    symlinkSync(process.execPath, join(programs, "bun"));
    const env = {
      ...process.env,
      PATH: `${programs}:${process.env.PATH}`,
      npm_config_cache: join(this.folder, "cache"),
    };
    const command = Bun.which("npm")
      ? ["npm", "pack", "--offline", "--pack-destination", this.folder]
      : [process.execPath, "pm", "pack", "--destination", this.folder];
    await Bun.$`${command}`.cwd(root).env(env).quiet();
    return join(this.folder, `longpour-${manifest.version}.tgz`);
  }

  #link(name: string): void {
    const link = join(this.folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(modules, name), link);
  }
}
