import { status, type Answer } from "./respond.ts";
import type { Fault } from "./server.ts";
import type { KubeObject, Store } from "./store.ts";

interface Binding extends KubeObject {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}
interface Role extends KubeObject {
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** As RBAC has it: tokens are reviewed for nobody unless a ClusterRoleBinding of the store lets the ServiceAccount ask. */
export function refuseReviews(store: Store, account: { readonly namespace: string; readonly name: string }): Fault {
  // Objects of these two kinds, as manifests have them.
  const bindings = (): Binding[] => store.list("clusterrolebindings.rbac.authorization.k8s.io", "") as Binding[];
  const role = (name: string): Role | undefined => store.get("clusterroles.rbac.authorization.k8s.io", "", name);
  const may = (): boolean =>
    bindings()
      .filter(({ subjects = [] }) =>
        subjects.some((s) => s.kind === "ServiceAccount" && s.name === account.name && s.namespace === account.namespace),
      )
      .flatMap(({ roleRef }) => (roleRef.kind === "ClusterRole" ? (role(roleRef.name)?.rules ?? []) : []))
      .some((r) => r.apiGroups.includes("authentication.k8s.io") && r.resources.includes("tokenreviews") && r.verbs.includes("create"));
  return ({ verb, resource }): Answer | undefined =>
    verb === "create" && resource === "tokenreviews" && !may() ? status(403, "Forbidden", "tokenreviews is forbidden") : undefined;
}
