import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../cli/demo/kubernetes/manifests.ts";
import { changesBetween, progressLines, progressOf } from "../../cli/demo/kubernetes/progress.ts";

const object = (kind: string, name: string, more: Readonly<Record<string, unknown>>): KubeObject => ({
  ...{ apiVersion: "v1", kind, metadata: { name, namespace: "fulcrum-demo" } },
  ...more,
});
const objectives = { ttft: { target: "500ms" }, itl: { target: "15ms" } };
const policy = (status: object) => object("ScalingPolicy", "demo", { spec: { objectives }, status });
const deployment = (name: string, replicas: number, readyReplicas?: number) =>
  object("Deployment", name, { spec: { replicas }, status: readyReplicas === undefined ? {} : { readyReplicas } });
const waiting = (reason: string) =>
  object("Pod", `prefill-${reason}`, { status: { containerStatuses: [{ state: { waiting: { reason } } }] } });

describe("what the cluster demo shows", () => {
  it("is what objects say, and a dash where they say nothing", () => {
    const unknown = progressOf([]);
    expect(progressLines(unknown, 61, 300, [])).toEqual([
      "1:01 of 5:00",
      "TTFT p95 — (target —)   ITL p95 — (target —)",
      "prefill  ready — of —",
      "decode   ready — of —",
      "decision —",
    ]);
    const lastDecision = { reason: "prefill-short", message: "one more is needed" };
    const now = progressOf([deployment("prefill", 3, 2), deployment("decode", 1), policy({ ttft: "412ms", lastDecision })]);
    expect(progressLines(now, 0, 300, [])).toEqual([
      "0:00 of 5:00",
      "TTFT p95 412ms (target 500ms)   ITL p95 — (target 15ms)",
      "prefill  ready 2 of 3",
      "decode   ready 0 of 1",
      "decision prefill-short: one more is needed",
    ]);
  });

  it("tells each change of a count with its reason, and none where one of the two was not seen", () => {
    const lastDecision = { reason: "prefill-short", message: "x" };
    const one = progressOf([deployment("prefill", 1, 1), deployment("decode", 2, 2)]);
    const two = progressOf([deployment("prefill", 3, 1), deployment("decode", 2, 2), policy({ lastDecision })]);
    const changes = changesBetween(one, two);
    expect(changes).toEqual([{ role: "prefill", from: 1, to: 3, reason: "prefill-short: x" }]);
    expect(progressLines(two, 0, 1, changes).at(-1)).toBe("  prefill 1 → 3  prefill-short: x");
    expect(changesBetween(progressOf([]), two)).toEqual([]);
  });

  it("says why nothing happens: images, crashes, rights", () => {
    const conditions = [{ type: "Acting", status: "False", message: "patch of deployments/scale is not granted" }];
    const pods = ["ImagePullBackOff", "ImagePullBackOff", "ContainerCreating", "CrashLoopBackOff"].map(waiting);
    const lines = progressLines(progressOf([policy({ conditions }), ...pods]), 0, 1, []);
    expect(lines).toContain("not acting: patch of deployments/scale is not granted");
    expect(lines).toContain("pods wait: ImagePullBackOff (2), CrashLoopBackOff (1); name an image that your nodes can pull with --image");
  });
});
