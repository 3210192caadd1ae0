import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roleOf, ROLE_ANNOTATION, type RoleHints } from "../../../agent/discover/roles.ts";

const hints = (fields: Partial<RoleHints>): RoleHints => ({ labels: {}, annotations: {}, args: [], ...fields });
const role = (fields: Partial<RoleHints>): string => {
  const found = roleOf(hints(fields));
  return found.ok ? `${found.value.role} by ${found.value.from}` : `? ${found.error}`;
};

describe("a pod's role", () => {
  test.each([
    ["llm-d.ai/role", "prefill", "prefill"],
    ["llm-d.ai/role", "both", "aggregated"],
    ["nvidia.com/dynamo-component-type", "frontend", "frontend"],
    ["nvidia.com/dynamo-sub-component-type", "decode", "decode"],
    ["rbg.workloads.x-k8s.io/role-name", "sglang-prefill-0", "prefill"],
    ["role-name", "decode", "decode"],
    ["modelserving.volcano.sh/role", "Decode_big", "decode"],
    ["disaggregatedset.x-k8s.io/role", "prefill", "prefill"],
    ["arks.ai/disaggregation-role", "decode", "decode"],
    ["grove.io/podclique", "graph-0-prefill-ldr", "prefill"],
  ])("label %s: %s → %s", (label, value, expected) => {
    expect(role({ labels: { [label]: value } })).toBe(`${expected} by label ${label}`);
  });

  test.each([
    [["--disaggregation-mode", "prefill"], "prefill by --disaggregation-mode"],
    [["python -m sglang.launch_server --model x --disaggregation-mode decode --tp 2"], "decode by --disaggregation-mode"],
    [["--kv-transfer-config", '{"kv_connector":"X","kv_role":"kv_producer"}'], "prefill by --kv-transfer-config"],
    [[`vllm serve m --kv-transfer-config='{"kv_connector":"X", "kv_role": "kv_consumer"}' --port 8000`], "decode by --kv-transfer-config"],
  ])("arguments %j", (args, expected) => {
    expect(role({ args })).toBe(expected);
  });

  test("the annotation wins over labels, labels over arguments, the sub-type over the type", () => {
    const labels = { "llm-d.ai/role": "decode" };
    const args = ["--disaggregation-mode", "prefill"];
    expect(role({ labels, args })).toBe("decode by label llm-d.ai/role");
    expect(role({ labels, args, annotations: { [ROLE_ANNOTATION]: "prefill" } })).toBe(`prefill by annotation ${ROLE_ANNOTATION}`);
    const dynamo = { "nvidia.com/dynamo-component-type": "worker", "nvidia.com/dynamo-sub-component-type": "prefill" };
    expect(role({ labels: dynamo })).toBe("prefill by label nvidia.com/dynamo-sub-component-type");
  });

  test.each<[string, Partial<RoleHints>]>([
    ["nothing", {}],
    ["a name with both in it", { labels: { "role-name": "prefill-decode-router" } }],
    ["a name with neither", { labels: { "rbg.workloads.x-k8s.io/role-name": "leader" } }],
    ["kv_both", { args: ["--kv-transfer-config", '{"kv_role":"kv_both"}'] }],
    ["an encoder", { labels: { "llm-d.ai/role": "encode" } }],
  ])("%s is told, not guessed", (_, fields) => {
    expect(role(fields)).toBe(`? no label, annotation or argument tells prefill from decode; annotate it with ${ROLE_ANNOTATION}`);
  });

  test("a wrong annotation is an error, whatever else the pod says", () => {
    expect(role({ labels: { "llm-d.ai/role": "decode" }, annotations: { [ROLE_ANNOTATION]: "Prefil" } })).toContain(
      'is "Prefil"; write prefill, decode',
    );
  });

  test("labels that are not about roles say nothing, and no input throws", () => {
    const names = fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }));
    fc.assert(
      fc.property(names, fc.array(fc.string({ maxLength: 60 })), (labels, args) => {
        expect(roleOf(hints({ labels, args })).ok).toBe(args.some((a) => a.includes("--disaggregation-mode") || a.includes("kv_")));
      }),
    );
  });
});
