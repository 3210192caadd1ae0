import { err, ok, type Result } from "../../core/result.ts";

/** Where the roles of an object lie in it, and what says that another one sets a role's count. */
export interface Place {
  /** list: items told apart by their `name`; map: by their key; fixed: the kind has these roles and no others. */
  readonly roles:
    | { readonly as: "list" | "map"; readonly in: readonly string[] }
    | { readonly as: "fixed"; readonly at: Readonly<Record<string, readonly string[]>> };
  /** From the role to its count. */
  readonly replicas: readonly string[];
  /** From the role: when it is there (and is `equals`, where that is given), `by` sets the count. */
  readonly handedOver?: { readonly at: readonly string[]; readonly equals?: string | boolean; readonly by: string };
  /** From the role: a count that the kind does not let it fall below. */
  readonly least?: readonly string[];
  /** Where the cluster does not serve version `before` yet, its operator is an older one, which labels pods so. */
  readonly older?: { readonly before: string; readonly selector: string };
}

/** A kind without a scale subresource for one of its roles: its count is one field of the object. */
export interface PartKind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly places: Readonly<Record<string, Place>>;
  /** Labels of the pods of one role: `{}` stands for the object's name, `{role}` for the role's. */
  readonly selector: string;
  /** A multiplier of all roles: with more than one, a role's count is not the number of its replicas. */
  readonly copies?: { readonly at: readonly string[]; readonly called: string; readonly optional: boolean };
}

const list = (...path: string[]): Place["roles"] => ({ as: "list", in: path });
const COUNT = ["replicas"];

/** Both versions of a RoleBasedGroup have it so; the list of roles is one by name. */
const rbg: Place = {
  ...{ roles: list("spec", "roles"), replicas: COUNT },
  handedOver: { at: ["scalingAdapter", "enable"], equals: true, by: "RoleBasedGroupScalingAdapter {}-{role}" },
};

/** Field paths are those of the kinds' published CRDs; versions that are not here have other paths, or none. */
export const PART_KINDS: readonly PartKind[] = [
  {
    ...{ group: "nvidia.com", kind: "DynamoGraphDeployment", plural: "dynamographdeployments" },
    places: {
      v1beta1: {
        ...{ roles: list("spec", "components"), replicas: COUNT, least: ["minAvailable"] },
        handedOver: { at: ["scalingAdapter"], by: "DynamoGraphDeploymentScalingAdapter {}-{role}" },
      },
      v1alpha1: {
        ...{ roles: { as: "map", in: ["spec", "services"] }, replicas: COUNT, least: ["minAvailable"] },
        handedOver: { at: ["scalingAdapter", "enabled"], equals: true, by: "DynamoGraphDeploymentScalingAdapter {}-{role}" },
      },
    },
    selector: "nvidia.com/dynamo-graph-deployment-name={},nvidia.com/dynamo-component={role}",
  },
  {
    ...{ group: "workloads.x-k8s.io", kind: "RoleBasedGroup", plural: "rolebasedgroups" },
    places: {
      v1alpha2: rbg,
      v1alpha1: {
        ...rbg,
        older: {
          before: "v1alpha2",
          selector: "rolebasedgroup.workloads.x-k8s.io/name={},rolebasedgroup.workloads.x-k8s.io/role={role}",
        },
      },
    },
    selector: "rbg.workloads.x-k8s.io/group-name={},rbg.workloads.x-k8s.io/role-name={role}",
  },
  {
    ...{ group: "disaggregatedset.x-k8s.io", kind: "DisaggregatedSet", plural: "disaggregatedsets" },
    places: {
      v1: {
        ...{ roles: list("spec", "roles"), replicas: ["spec", "replicas"] },
        handedOver: { at: ["scaling", "mode"], equals: "External", by: "DisaggregatedSetRoleScaler {}-{role}" },
      },
    },
    selector: "disaggregatedset.x-k8s.io/name={},disaggregatedset.x-k8s.io/role={role}",
    copies: { at: ["spec", "slices"], called: "slices", optional: true },
  },
  {
    ...{ group: "serving.kserve.io", kind: "LLMInferenceService", plural: "llminferenceservices" },
    places: {
      v1alpha2: kserve(),
      v1alpha1: kserve(),
    },
    selector: "app.kubernetes.io/name={},app.kubernetes.io/part-of=llminferenceservice,llm-d.ai/role={role}",
  },
  {
    ...{ group: "orchestration.aibrix.ai", kind: "StormService", plural: "stormservices" },
    places: { v1alpha1: { roles: list("spec", "template", "spec", "roles"), replicas: COUNT } },
    selector: "storm-service-name={},role-name={role}",
    copies: { at: ["spec", "replicas"], called: "role sets", optional: false },
  },
  {
    ...{ group: "workload.serving.volcano.sh", kind: "ModelServing", plural: "modelservings" },
    places: { v1alpha1: { roles: list("spec", "template", "roles"), replicas: COUNT } },
    selector: "modelserving.volcano.sh/name={},modelserving.volcano.sh/role={role}",
    copies: { at: ["spec", "replicas"], called: "serving groups", optional: false },
  },
  {
    ...{ group: "arks.ai", kind: "ArksDisaggregatedApplication", plural: "arksdisaggregatedapplications" },
    places: { v1: { roles: { as: "fixed", at: { prefill: ["spec", "prefill"], decode: ["spec", "decode"] } }, replicas: COUNT } },
    selector: "arks.ai/application={},arks.ai/disaggregation-role={role}",
  },
];

/** Its `spec` is the decode workload, and holds the prefill one. */
function kserve(): Place {
  return {
    ...{ roles: { as: "fixed", at: { decode: ["spec"], prefill: ["spec", "prefill"] } }, replicas: COUNT },
    handedOver: {
      at: ["scaling"],
      by: "the autoscaler that its own scaling field makes (HorizontalPodAutoscaler or ScaledObject {}-kserve…)",
    },
  };
}

export const partKind = (group: string, kind: string): PartKind | undefined => PART_KINDS.find((k) => k.group === group && k.kind === kind);

/** A role of an object, as it was found in it. */
export interface Located {
  readonly replicas: number;
  /** JSON pointer of the count. */
  readonly pointer: string;
  readonly least: number | undefined;
}

/** Finds a role's count; errors say what stands in the way, and what to name or do instead. */
export function locate(kind: PartKind, place: Place, object: unknown, name: string, role: string): Result<Located, string> {
  const { copies } = kind;
  const many = copies === undefined ? 1 : at(object, copies.at);
  if (copies !== undefined && many !== 1 && !(copies.optional && many === undefined)) {
    const has = typeof many === "number" ? `has ${many}` : "does not say how many";
    return err(
      `${kind.kind} ${name} ${has} ${copies.called}; the count of a role is that of a pool only with one: set ${copies.at.join(".")} to 1`,
    );
  }
  const path = roleAt(place, object, role);
  if (path === undefined)
    return err(`${kind.kind} ${name} has no component ${role}; it has ${rolesOf(place, object).join(", ") || "none"}`);
  const part = at(object, path);
  const { handedOver } = place;
  const handle = handedOver === undefined ? undefined : at(part, handedOver.at);
  if (handedOver !== undefined && handle !== undefined && (handedOver.equals === undefined || handle === handedOver.equals)) {
    const owner = fill(handedOver.by, name, role);
    return err(`the count of component ${role} of ${kind.kind} ${name} is set by ${owner}: name that as the target`);
  }
  const replicas = at(part, place.replicas);
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
    return err(`component ${role} of ${kind.kind} ${name} has no ${place.replicas.join(".")}; set it to the count to begin with`);
  }
  const least = place.least === undefined ? undefined : at(part, place.least);
  return ok({ replicas, pointer: pointerOf([...path, ...place.replicas]), least: typeof least === "number" ? least : undefined });
}

export const podSelector = (selector: string, name: string, role: string): string => fill(selector, name, role);

/** Adapters' names are in lower case, as all names are; labels carry the role as it is written. */
function fill(template: string, name: string, role: string): string {
  const written = template.includes("=") ? role : role.toLowerCase();
  return template.replaceAll("{role}", written).replaceAll("{}", name);
}

type Step = string | number;

function roleAt({ roles }: Place, object: unknown, role: string): readonly Step[] | undefined {
  if (roles.as === "fixed") {
    const path = roles.at[role];
    return path !== undefined && at(object, path) !== undefined ? path : undefined;
  }
  const all = at(object, roles.in);
  if (roles.as === "map") return at(all, [role]) === undefined ? undefined : [...roles.in, role];
  const index = Array.isArray(all) ? all.findIndex((item) => at(item, ["name"]) === role) : -1;
  return index === -1 ? undefined : [...roles.in, index];
}

function rolesOf({ roles }: Place, object: unknown): readonly string[] {
  if (roles.as === "fixed") return Object.keys(roles.at).filter((role) => at(object, roles.at[role] ?? []) !== undefined);
  const all = at(object, roles.in);
  if (Array.isArray(all)) return all.map((item) => String(at(item, ["name"])));
  return typeof all === "object" && all !== null ? Object.keys(all) : [];
}

function at(value: unknown, path: readonly Step[]): unknown {
  let inner = value;
  for (const step of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, step)) return undefined;
    inner = (inner as Readonly<Record<Step, unknown>>)[step]; // an object has properties of some kind; this one was just found
  }
  return inner;
}

/** RFC 6901. */
const pointerOf = (path: readonly Step[]): string =>
  path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
