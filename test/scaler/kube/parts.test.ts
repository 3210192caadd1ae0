import { describe, expect, test } from "vitest";
import { locate, partKind, podSelector } from "../../../scaler/kube/parts.ts";
import { SHAPES } from "../../support/cluster/shapes.ts";

/** `group/version Kind` */
function known(of: string) {
  const [group = "", version = "", name = ""] = of.split(/[/ ]/);
  const kind = partKind(group, name);
  const place = kind?.places[version];
  if (kind === undefined || place === undefined) throw new Error(`no ${of}`);
  return { kind, place };
}
const DYNAMO = "nvidia.com/v1beta1 DynamoGraphDeployment";
const RBG = "workloads.x-k8s.io/v1alpha2 RoleBasedGroup";
const KSERVE = "serving.kserve.io/v1alpha2 LLMInferenceService";

const find = (of: string, object: unknown, role: string) => {
  const { kind, place } = known(of);
  const found = locate(kind, place, object, "x", role);
  return found.ok ? found.value : found.error;
};
const graph = (component: object) => ({ spec: { components: [{ name: "Frontend" }, { name: "Worker", replicas: 2, ...component }] } });

describe("where the count of a role stands", () => {
  test.each([
    [DYNAMO, graph({}), "Worker", "/spec/components/1/replicas"],
    [
      "nvidia.com/v1alpha1 DynamoGraphDeployment",
      { spec: { services: { "a/b": { replicas: 2 } } } },
      "a/b",
      "/spec/services/a~1b/replicas",
    ],
    [KSERVE, { spec: { replicas: 2 } }, "decode", "/spec/replicas"],
    [
      "disaggregatedset.x-k8s.io/v1 DisaggregatedSet",
      { spec: { roles: [{ name: "p", spec: { replicas: 2 } }] } },
      "p",
      "/spec/roles/0/spec/replicas",
    ],
  ])("%s", (of, object, role, pointer) => {
    expect(find(of, object, role)).toMatchObject({ replicas: 2, pointer });
  });

  test("pods are selected by what the kinds' operators label them with", () => {
    for (const shape of SHAPES.filter((s) => s.components !== undefined)) {
      const { kind } = known(`${shape.apiVersion} ${shape.kind}`);
      const labels = shape.labels("x", "prefill");
      const asked = podSelector(kind.selector, "x", shape.components?.prefill ?? "").split(",");
      expect(asked.filter((term) => labels[term.split("=")[0] ?? ""] !== term.split("=")[1])).toEqual([]);
    }
  });
});

describe("what is refused, and what to do instead", () => {
  const roles = (role: object) => ({ spec: { roles: [{ name: "p", replicas: 1, ...role }] } });
  const service = (role: object) => ({ spec: { services: { W: { replicas: 1, ...role } } } });
  test.each([
    ["an adapter", DYNAMO, graph({ scalingAdapter: {} }), "Worker", /set by DynamoGraphDeploymentScalingAdapter x-worker: name that/],
    ["no such role", DYNAMO, graph({}), "prefill", /has no component prefill; it has Frontend, Worker$/],
    ["no count", DYNAMO, graph({}), "Frontend", /has no replicas; set it to the count to begin with$/],
    ["a count that is none", DYNAMO, graph({ replicas: -1 }), "Worker", /has no replicas/],
    ["an adapter", "nvidia.com/v1alpha1 DynamoGraphDeployment", service({ scalingAdapter: { enabled: true } }), "W", /ScalingAdapter x-w:/],
    ["an adapter", RBG, roles({ scalingAdapter: { enable: true } }), "p", /RoleBasedGroupScalingAdapter x-p/],
    ["an adapter", "disaggregatedset.x-k8s.io/v1 DisaggregatedSet", roles({ scaling: { mode: "External" } }), "p", /RoleScaler x-p/],
    ["its own autoscaler", KSERVE, { spec: { prefill: { scaling: { maxReplicas: 3 } } } }, "prefill", /ScaledObject x-kserve/],
    ["no prefill workload", KSERVE, { spec: { replicas: 1 } }, "prefill", /has no component prefill; it has decode$/],
    [
      "several role sets",
      "orchestration.aibrix.ai/v1alpha1 StormService",
      { spec: { replicas: 2 } },
      "p",
      /has 2 role sets; .*set spec\.replicas to 1$/,
    ],
    ["unknown groups", "workload.serving.volcano.sh/v1alpha1 ModelServing", { spec: {} }, "p", /does not say how many serving groups/],
    ["something else entirely", DYNAMO, "text", "Worker", /it has none$/],
  ])("%s: %s", (_why, of, object, role, message) => {
    expect(find(of, object, role)).toMatch(message);
  });

  test("an adapter that is switched off is none", () => {
    const object = { spec: { roles: [{ name: "p", replicas: 3, scalingAdapter: { enable: false } }] } };
    expect(find(RBG, object, "p")).toMatchObject({ replicas: 3 });
  });

  test("names that objects have from their prototype are no roles", () => {
    const { kind, place } = known("nvidia.com/v1alpha1 DynamoGraphDeployment");
    const found = locate(kind, place, { spec: { services: {} } }, "x", "constructor");
    expect(found.ok).toBe(false);
  });
});
