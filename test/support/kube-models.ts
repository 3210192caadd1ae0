import * as kubernetes from "@kubernetes/client-node";

/** Fields of an object that its kind does not have, or that have another type there. */
interface Attribute {
  readonly baseName: string;
  readonly type: string;
}
interface Model {
  getAttributeTypeMap(): readonly Attribute[];
}

export interface KubeManifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

const models = kubernetes as unknown as Readonly<Record<string, Model | undefined>>;
const modelOf = (type: string): Model | undefined => {
  const model = models[type];
  return typeof model?.getAttributeTypeMap === "function" ? model : undefined;
};

/** The built-in kinds we write, with the class that the published API description gives them. */
const KINDS: Readonly<Record<string, string>> = {
  "v1 Namespace": "V1Namespace",
  "v1 ServiceAccount": "V1ServiceAccount",
  "v1 Service": "V1Service",
  "v1 ConfigMap": "V1ConfigMap",
  "v1 Secret": "V1Secret",
  "v1 PersistentVolumeClaim": "V1PersistentVolumeClaim",
  "apps/v1 Deployment": "V1Deployment",
  "apps/v1 DaemonSet": "V1DaemonSet",
  "rbac.authorization.k8s.io/v1 ClusterRole": "V1ClusterRole",
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": "V1ClusterRoleBinding",
  "rbac.authorization.k8s.io/v1 Role": "V1Role",
  "rbac.authorization.k8s.io/v1 RoleBinding": "V1RoleBinding",
  "networking.k8s.io/v1 NetworkPolicy": "V1NetworkPolicy",
  "policy/v1 PodDisruptionBudget": "V1PodDisruptionBudget",
  "apiextensions.k8s.io/v1 CustomResourceDefinition": "V1CustomResourceDefinition",
};

/** Undefined for kinds that are not built in. */
export const builtInModel = ({ apiVersion, kind }: KubeManifest): string | undefined => KINDS[`${apiVersion} ${kind}`];

/**
 * Strict check of a built-in kind against the models that the Kubernetes client generates from the published API description:
 * an unknown field or a value of another type is a problem, as it is for `kubectl apply` with strict validation.
 */
export function modelProblems(object: KubeManifest): string[] {
  const model = builtInModel(object);
  if (model === undefined) return [`${object.apiVersion} ${object.kind}: not a kind that is known here`];
  return check(object, model, `${object.kind} ${object.metadata.name}`);
}

/** The same of a part of another kind's object. */
export const partProblems = (value: unknown, type: "V1PodSpec", path: string): string[] => check(value, type, path);

function check(value: unknown, type: string, path: string): string[] {
  const list = /^Array<(.+)>$/.exec(type)?.[1];
  if (list !== undefined)
    return Array.isArray(value) ? value.flatMap((item, i) => check(item, list, `${path}[${i}]`)) : [`${path}: not a list`];
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (map !== undefined)
    return isMap(value) ? Object.entries(value).flatMap(([key, item]) => check(item, map, `${path}.${key}`)) : [`${path}: not a map`];
  const model = modelOf(type);
  if (model === undefined) return scalar(value, type) ? [] : [`${path}: not a ${type}`];
  if (!isMap(value)) return [`${path}: not a map`];
  const known = new Map(model.getAttributeTypeMap().map((attribute) => [attribute.baseName, attribute.type]));
  return Object.entries(value).flatMap(([key, item]) => {
    const next = known.get(key);
    return next === undefined ? [`${path}: ${type} has no field ${key}`] : check(item, next, `${path}.${key}`);
  });
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function scalar(value: unknown, type: string): boolean {
  switch (type) {
    case "string":
    case "number":
    case "boolean":
      return typeof value === type;
    case "Date":
      return typeof value === "string";
    case "IntOrString":
      return typeof value === "string" || Number.isInteger(value);
    case "any":
      return true;
    default:
      throw new Error(`the check does not know the type ${type}`);
  }
}
