/**
 * Prints a bill of materials (CycloneDX 1.6, JSON) of the packages that the image ships: what `bun install --production
 * --omit=peer` puts into node_modules. `bun run sbom > sbom.json`
 *
 * **Invariants**
 * - Packages, versions, hashes and who needs whom come from bun.lock; only licences and links are read from
 *   node_modules.
 * - The same lockfile gives the same bytes: there is no time in it, and no random number.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Contrib, Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import parseSpdxExpression from "spdx-expression-parse";
import lockfile from "../bun.lock";

const root = join(import.meta.dir, "..");
const { Builders, Factories, Utils } = Contrib.FromNodePackageJson;

type Manifest = Parameters<InstanceType<typeof Builders.ComponentBuilder>["makeComponent"]>[0];

const builder = new Builders.ComponentBuilder(
  new Factories.ExternalReferenceFactory(),
  new Contrib.License.Factories.LicenseFactory(parseSpdxExpression),
);
const components = new Map<string, Models.Component>();

const self = readComponent(root, Enums.ComponentType.Application);
self.bomRef.value = `${self.name}@${self.version}`;
for (const name of Object.keys(lockfile.workspaces[""]?.dependencies ?? {})) need(self, name, "");

const bom = new Models.Bom({
  metadata: new Models.Metadata({ component: self }),
  components: new Models.ComponentRepository(components.values()),
});
const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
console.log(serializer.serialize(bom, { sortLists: true, space: 2 }));

/** Notes that `component`, which stands at `path`, needs the package `name`, and all that this one needs. */
function need(component: Models.Component, name: string, path: string): void {
  const at = resolve(name, path);
  // An optional one that no platform of the lockfile has.
  if (at === undefined) return;
  const known = components.get(at);
  const needed = known ?? readLocked(at);
  component.dependencies.add(needed.bomRef);
  if (known) return;
  components.set(at, needed);
  const { dependencies, optionalDependencies } = lockedAt(at).needs;
  for (const further of Object.keys({ ...dependencies, ...optionalDependencies })) need(needed, further, at);
}

/**
 * What bun.lock says of the package at a path; `a/b` is the `b` that only `a` uses. All of ours come from the registry.
 */
function lockedAt(path: string) {
  const locked = lockfile.packages[path];
  if (locked?.length !== 4) throw new Error(`${path} is not from the registry, so bun.lock has no hash of it`);
  const [nameAndVersion, , needs, integrity] = locked;
  const split = nameAndVersion.lastIndexOf("@");
  return { name: nameAndVersion.slice(0, split), version: nameAndVersion.slice(split + 1), needs, integrity };
}

/** Where a package is found from `path`: below it, below what is above it, or at the top. */
function resolve(name: string, path: string): string | undefined {
  const inner = path === "" ? name : `${path}/${name}`;
  if (inner in lockfile.packages) return inner;
  return path === "" ? undefined : resolve(name, above(path));
}

/** `a/@b/c` → `a` */
function above(path: string): string {
  return path.replace(/\/?(@[^/]+\/)?[^/]+$/, "");
}

function readLocked(path: string): Models.Component {
  const { name, version, integrity } = lockedAt(path);
  const component = readComponent(join(root, folderOf(path)), Enums.ComponentType.Library);
  if (component.version !== version) throw new Error(`${path} is installed as ${component.version}: run bun install`);
  component.purl = new PackageURL("npm", component.group, component.name, version).toString();
  // Where a package stands twice, in one version, each has its own needs.
  component.bomRef.value = path === name ? component.purl : `${component.purl}#${path}`;
  const [algorithm, hash] = Utils.parsePackageIntegrity(integrity);
  component.hashes.set(algorithm, hash);
  return component;
}

/** `a/@b/c` → `node_modules/a/node_modules/@b/c` */
function folderOf(path: string): string {
  const outer = above(path);
  const name = outer === "" ? path : path.slice(outer.length + 1);
  return join(outer === "" ? "" : folderOf(outer), "node_modules", name);
}

function readComponent(folder: string, type: Enums.ComponentType): Models.Component {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const component = builder.makeComponent(manifest, type);
  if (!component) throw new Error(`${folder}/package.json has no name`);
  return component;
}
