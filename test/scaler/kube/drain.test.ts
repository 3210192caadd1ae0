import { expect, test } from "vitest";
import { drainProblem } from "../../../scaler/kube/drain.ts";
import { podSchema } from "../../../scaler/kube/objects.ts";

const pod = (spec: object) => podSchema.parse({ metadata: { name: "p", resourceVersion: "1" }, spec });
const PLAIN = `{"kv_connector":"NixlConnector"}`;
const LEASE = `{"kv_connector":"NixlConnector","kv_connector_extra_config":{"kv_lease_duration": 45}}`;
const vllm = (grace: number | undefined, config = PLAIN) =>
  pod({
    ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
    containers: [{ image: "sidecar" }, { command: ["vllm", "serve"], args: ["--kv-transfer-config", config] }],
  });

test("a prefill pod that ends before its KV lease does is told, with both figures", () => {
  expect(drainProblem([vllm(60)])).toBeUndefined();
  expect(drainProblem([vllm(60), vllm(30)])).toMatch(
    /end 30 s after they are asked to, their KV lease lasts 30 s: raise terminationGracePeriodSeconds/,
  );
  expect(drainProblem([vllm(60, LEASE)])).toBeUndefined();
  expect(drainProblem([vllm(40, LEASE)])).toMatch(/end 40 s .* lease lasts 45 s/);
  // What says nothing has Kubernetes' 30 s.
  expect(drainProblem([vllm(undefined)])).toMatch(/end 30 s/);
  expect(drainProblem([])).toBeUndefined();
  expect(drainProblem([pod({ terminationGracePeriodSeconds: 5, containers: [{ args: ["--model", "m"] }] })])).toBeUndefined();
});
