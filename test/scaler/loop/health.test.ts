import { expect, test } from "vitest";
import { emptyFleet } from "../../../scaler/intake/fleet-view.ts";
import { fold } from "../../../scaler/intake/fold.ts";
import { createHealthWatch } from "../../../scaler/loop/health.ts";
import { pool, replica, report } from "../support/reports.ts";

const gpu = (pod: string, more: object = {}) => ({ gpu: "0", uuid: `GPU-${pod}`, pod, age: 0, ...more });

test("a pod is judged by its GPUs and its load, as far as those are fresh", () => {
  const watch = createHealthWatch();
  const told = report({
    interval: 1,
    gpus: [
      gpu("a", { xid: [{ xid: 79, count: 1 }] }),
      gpu("b", { throttleSeconds: 0.5 }),
      gpu("c", { remappedRows: { pending: true } }),
      gpu("d", { xid: [{ xid: 31, count: 4 }], throttleSeconds: 0.01 }),
    ],
    pools: [pool({ replicas: [replica("a", { running: 7 }), replica("d", { running: 0 })] })],
  });
  watch.report(told, 1000);
  const { fleet } = fold(emptyFleet, told, 1000);
  expect(Object.fromEntries(watch.of(fleet, "demo", 1001, 10))).toEqual({
    a: { faulty: true, throttled: false, running: 7 },
    b: { faulty: false, throttled: true, running: undefined },
    c: { faulty: true, throttled: false, running: undefined },
    d: { faulty: false, throttled: false, running: 0 },
  });
  // The next report does not tell the XID again, and it is still held against the pod; what is stale says nothing.
  const next = fold(fleet, report({ seq: 1, interval: 1, gpus: [gpu("a")] }), 1100).fleet;
  watch.report(report({ seq: 1, gpus: [gpu("a")] }), 1100);
  expect(watch.of(next, "demo", 1100, 10).get("a")).toMatchObject({ faulty: true });
  expect(watch.of(next, "demo", 5000, 1e9).get("a")).toMatchObject({ faulty: false });
  expect(watch.of(fleet, "demo", 1020, 10).size).toBe(0);
});
