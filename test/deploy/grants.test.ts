import { expect, test } from "vitest";
import { GRANTS, type Grant } from "../../scaler/kube/verbs.ts";
import { rightsOf } from "../support/rights.ts";

const asked = (purpose: Grant["for"]): string[] =>
  GRANTS.filter((grant) => grant.for === purpose)
    .flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group}`))
    .toSorted();

// scaler/kube/verbs.test holds the list to the calls that are made; this holds the manifests to the list.
test.each([
  ["see", "base/scaler-rbac.yaml", "ClusterRole"],
  ["tell", "base/scaler-policies-rbac.yaml", "ClusterRole"],
  ["lead", "base/scaler-rbac.yaml", "Role"],
  ["admit", "base/scaler-admit-rbac.yaml", "ClusterRole"],
  ["act", "components/act/rbac.yaml", "ClusterRole"],
  ["act-on-components", "components/act-on-components/rbac.yaml", "ClusterRole"],
  ["roll-out-limits", "components/roll-out-limits/rbac.yaml", "ClusterRole"],
  ["choose-victims", "components/choose-victims/rbac.yaml", "ClusterRole"],
] as const)("the rights to %s are those of %s, %s, and no other", (purpose, file, kind) => {
  expect([...rightsOf(file, kind)].toSorted()).toEqual(asked(purpose));
});

test("the right to act changes counts only; on components it patches, and no more", () => {
  const writes = (component: string): string[] =>
    [...rightsOf(`components/${component}/rbac.yaml`, "ClusterRole")].filter((right) => !/^(get|list|watch) /.test(right));
  expect(writes("act").filter((right) => !/^patch [a-z]+\/scale /.test(right))).toEqual([]);
  expect(writes("act-on-components").filter((right) => !/^patch [a-z]+ [a-z0-9.-]+$/.test(right))).toEqual([]);
});

test("the agent's rights are to see pods, which test/system/discovery holds to the calls it makes, and the Lease that doctor watches", () => {
  expect([...rightsOf("base/agent-rbac.yaml", "ClusterRole")].toSorted()).toEqual(["list pods ", "watch pods "]);
  expect([...rightsOf("base/agent-rbac.yaml", "Role")]).toEqual(["get leases coordination.k8s.io"]);
});

test("without the component no right changes anything but the lease, the status of our own objects, and events", () => {
  const reads = (right: string): boolean => /^(get|list|watch) /.test(right);
  expect([...rightsOf("base/scaler-rbac.yaml", "ClusterRole")].filter((right) => !reads(right))).toEqual([]);
  expect([...rightsOf("base/scaler-policies-rbac.yaml", "ClusterRole")].filter((right) => !reads(right)).toSorted()).toEqual([
    "create events events.k8s.io",
    "patch events events.k8s.io",
    "patch scalingpolicies/status fulcrum.dev",
  ]);
});
