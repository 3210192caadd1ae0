import type { ServedKind } from "./kinds.ts";
import { apiVersion, ok, status, type Answer } from "./respond.ts";

/** /openapi/v3: of each kind that its writes take `dryRun` and `fieldValidation`, which is what kubectl looks up before it applies. */
export function openApi(kinds: readonly ServedKind[], path: string): Answer {
  const versions = new Map<string, ServedKind[]>();
  for (const kind of kinds) {
    const key = `${kind.group === "" ? "api" : "apis"}/${apiVersion(kind)}`;
    versions.set(key, [...(versions.get(key) ?? []), kind]);
  }
  const asked = path.replace(/^\/openapi\/v3\/?/, "");
  if (asked === "") {
    const paths = [...versions.keys()].map((key) => [key, { serverRelativeURL: `/openapi/v3/${key}?hash=0` }] as const);
    return ok({ paths: Object.fromEntries(paths) });
  }
  const found = versions.get(asked);
  if (found === undefined) return status(404, "NotFound", "the server could not find the requested resource");
  const paths = found.map((kind) => [pathOf(asked, kind), { patch: operation(kind), post: operation(kind) }] as const);
  return ok({ openapi: "3.0.0", info: { title: "Kubernetes", version: "v1.32.0" }, paths: Object.fromEntries(paths) });
}

const pathOf = (root: string, { plural, clusterScoped }: ServedKind): string =>
  `/${root}${clusterScoped === true ? "" : "/namespaces/{namespace}"}/${plural}/{name}`;

const operation = ({ group, version, kind }: ServedKind) => ({
  parameters: ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({ name, in: "query", schema: { type: "string" } })),
  responses: { "200": { description: "OK" } },
  "x-kubernetes-group-version-kind": { group, version, kind },
});
