/**
 * Owns how tests read the Kubernetes manifests of deploy/, and by which published models they are checked.
 *
 * **Invariants**
 * - A kind without a model is an error: nothing goes unchecked.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { Deployment } from "kubernetes-models/apps/v1";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Secret, Service } from "kubernetes-models/v1";
import { readYaml, ROOT } from "./files.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** By kind: what checks a document, and the type that it has to fit. */
const MODELS: Readonly<Record<string, { readonly check: (document: never) => void; readonly from: string }>> = {
  ConfigMap: { check: (document) => new ConfigMap(document).validate(), from: "kubernetes-models/v1" },
  Secret: { check: (document) => new Secret(document).validate(), from: "kubernetes-models/v1" },
  Service: { check: (document) => new Service(document).validate(), from: "kubernetes-models/v1" },
  Deployment: { check: (document) => new Deployment(document).validate(), from: "kubernetes-models/apps/v1" },
  PodDisruptionBudget: {
    check: (document) => new PodDisruptionBudget(document).validate(),
    from: "kubernetes-models/policy/v1",
  },
  NetworkPolicy: {
    check: (document) => new NetworkPolicy(document).validate(),
    from: "kubernetes-models/networking.k8s.io/v1",
  },
  Ingress: { check: (document) => new Ingress(document).validate(), from: "kubernetes-models/networking.k8s.io/v1" },
  ScaledObject: {
    check: (document) => new ScaledObject(document).validate(),
    from: "@kubernetes-models/keda/keda.sh/v1alpha1",
  },
};

export function modelOf({ kind }: Manifest) {
  const model = MODELS[kind];
  if (!model) throw new Error(`no model of ${kind}`);
  return { type: `I${kind}`, ...model };
}

/** The files of a folder, but its kustomization. */
export function manifestFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".yaml") && name !== "kustomization.yaml");
}

export function readManifest(path: string): Manifest {
  return readYaml(path) as Manifest;
}
