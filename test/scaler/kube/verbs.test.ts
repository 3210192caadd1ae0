import { expect, test } from "vitest";
import { startLease } from "../../../scaler/kube/lease.ts";
import { GRANTS } from "../../../scaler/kube/verbs.ts";
import { apiOf, openScene, policyFor } from "../../support/kube-api/scene.ts";
import { startKubeApi } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { listLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

const KINDS = [
  "Deployment",
  "StatefulSet",
  "LeaderWorkerSet",
  "DisaggregatedSetRoleScaler",
  "RoleBasedGroupScalingAdapter",
  "DynamoGraphDeploymentScalingAdapter",
  "PodCliqueScalingGroup",
];

test("what is granted is what is used: no verb more, none less", async () => {
  const server = await startKubeApi();
  const leadership = startLease({
    api: apiOf(server),
    namespace: "fulcrum",
    name: "fulcrum-scaler",
    identity: "a",
    every: 0.02,
    clock: () => performance.now() / 1000,
    wall: Date.now,
    onChange: () => undefined,
    log: listLog(),
  });
  await until("the lead", () => (leadership.standing() === "leading" ? true : undefined));
  for (const kind of KINDS) {
    const [p, d] = ["p", "d"].map((role) => startWorkload(server, kind, `${role}-${kind.toLowerCase()}`, { replicas: 1 }));
    if (p === undefined || d === undefined) throw new Error("no workload");
    const scene = openScene(server, policyFor(p, d, 8), leadership);
    await scene.seen(1, 1);
    expect((await scene.apply(2, 2)).outcome).toBe("applied");
    scene.stop();
  }
  await leadership.stop();
  await server.close();
  const used = new Set(server.calls.map((c) => `${c.verb} ${c.resource} ${c.group}`));
  const granted = new Set(GRANTS.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group}`)));
  expect([...used].toSorted()).toEqual([...granted].toSorted());
});
