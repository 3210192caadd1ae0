import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { err, ok, type Result } from "../../../core/result.ts";
import type { Kubectl } from "./kubectl.ts";

/** An object of deploy/demo, or one that the API server has: what is looked at of it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

export interface Tailoring {
  readonly namespace: string;
  readonly image: string | undefined;
  /** Where Fulcrum runs already, and follows policies of all namespaces; undefined = the demo brings its own. */
  readonly installed: string | undefined;
  /** Whether the custom resource is to be brought. */
  readonly withDefinition: boolean;
}

/** Where deploy/demo is, beside the bundle or the sources. */
function folder(installed: boolean): string {
  const here = fileURLToPath(import.meta.url);
  const root = here.includes("/dist/") ? here.slice(0, here.lastIndexOf("/dist/")) : resolve(here, "../../../..");
  return join(root, "deploy", "demo", installed ? "serving" : "");
}

/** The objects of `kubectl apply -k deploy/demo`, for another namespace or image where one is named. */
export async function demoObjects(kubectl: Kubectl, tailoring: Tailoring): Promise<Result<readonly KubeObject[], string>> {
  const made = await kubectl(["kustomize", folder(tailoring.installed !== undefined)]);
  if (!made.ok) return err(`the manifests of deploy/demo cannot be made: ${made.error}`);
  // Our own manifests, which tests hold to the kinds' fields.
  const objects = parseAllDocuments(made.value).map((document) => document.toJS() as KubeObject);
  const wanted = objects.filter(({ kind }) => tailoring.withDefinition || kind !== "CustomResourceDefinition");
  return ok(wanted.map((object) => tailored(object, tailoring)));
}

const NAMESPACE = "fulcrum-demo";
const ADMIT = "fulcrum-demo-admit";

/** ClusterRole and ClusterRoleBinding of a demo in that namespace, by which its scaler has agents' tokens reviewed. */
export const admitName = (namespace: string): string => (namespace === NAMESPACE ? ADMIT : `${ADMIT}-${namespace}`);

function tailored(object: KubeObject, { namespace, image, installed }: Tailoring): KubeObject {
  const { metadata, kind } = object;
  const name = kind === "Namespace" ? { ...metadata, name: namespace } : metadata;
  const moved = { ...object, metadata: metadata.namespace === undefined ? name : { ...name, namespace } };
  const rest: unknown = JSON.parse(JSON.stringify(moved), (key, value: unknown) => {
    if (key === "name" && value === ADMIT) return admitName(namespace);
    if (key === "value" && value === `${NAMESPACE}/fulcrum-agent`) return `${namespace}/fulcrum-agent`;
    if (key === "image" && typeof value === "string" && image !== undefined) return image;
    if (key === "value" && value === "http://fulcrum-agent:4318" && installed !== undefined)
      return `http://fulcrum-agent.${installed}.svc:4318`;
    if (key === "subjects" && Array.isArray(value)) return value.map((subject: object) => ({ ...subject, namespace }));
    return value;
  });
  return rest as KubeObject; // the same object, with other words in it
}
