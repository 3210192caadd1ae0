import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Amounts } from "../../../scaler/intake/amounts.ts";
import { addAmounts, amountsOf } from "../../../scaler/intake/amounts.ts";
import { emptyFleet, fleetTotals, type FleetView } from "../../../scaler/intake/fleet-view.ts";
import { fold, foldedSeq, FORGET_AFTER, forget, setConnected } from "../../../scaler/intake/fold.ts";
import type { NodeReport } from "../../../wire/messages.ts";
import { buckets, pool, report } from "../support/reports.ts";

const counts = fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 });
const anyPool = fc
  .record({ name: fc.constantFrom("prefill", "decode"), tokens: fc.nat(1e6), finished: fc.option(fc.nat(100)), counts: fc.option(counts) })
  .map(({ name, tokens, finished, counts: c }) =>
    pool({
      pool: name,
      role: name === "decode" ? "decode" : "prefill",
      counters: { promptTokens: tokens, ...(finished === null ? {} : { requestsFinished: finished }) },
      distributions: c === null ? {} : { ttft: buckets([1, 2, 4], c) },
    }),
  );
/** Reports of three nodes; sequence numbers are given per node, in order. */
const reports = fc
  .array(fc.record({ node: fc.constantFrom("a", "b", "c"), pools: fc.array(anyPool, { maxLength: 3 }) }), { maxLength: 20 })
  .map((list) => {
    const next = new Map<string, number>();
    return list.map(({ node, pools }) => {
      const seq = next.get(node) ?? 0;
      next.set(node, seq + 1);
      return report({ node, seq, pools });
    });
  });

const foldAll = (list: readonly NodeReport[]): FleetView => list.reduce((fleet, r) => fold(fleet, r, 1000).fleet, emptyFleet);
/** As plain data, in an order of its own. */
const plain = (fleet: FleetView): unknown => [
  [...fleet.nodes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, n]) => ({ ...n, totals: [...n.totals].sort(([a], [b]) => (a < b ? -1 : 1)) })),
  [...fleetTotals(fleet)].sort(([a], [b]) => (a < b ? -1 : 1)),
];

describe("folding reports", () => {
  test("does not depend on how the nodes' reports interleave", () => {
    fc.assert(
      fc.property(reports, fc.infiniteStream(fc.nat()), (list, picks) => {
        const queues = new Map<string, NodeReport[]>();
        for (const r of list) queues.set(r.node, [...(queues.get(r.node) ?? []), r]);
        const shuffled: NodeReport[] = [];
        while (queues.size > 0) {
          const names = [...queues.keys()];
          const name = names[picks.next().value % names.length] ?? "";
          const queue = queues.get(name) ?? [];
          const first = queue.shift();
          if (first !== undefined) shuffled.push(first);
          if (queue.length === 0) queues.delete(name);
        }
        expect(plain(foldAll(shuffled))).toEqual(plain(foldAll(list)));
      }),
    );
  });

  test("a report that comes again changes nothing, however often", () => {
    fc.assert(
      fc.property(reports, fc.nat(5), (list, again) => {
        const repeated = list.flatMap((r, i) => [r, ...list.slice(Math.max(0, i - again), i + 1)]);
        expect(plain(foldAll(repeated))).toEqual(plain(foldAll(list)));
      }),
    );
    const once = fold(emptyFleet, report({ seq: 3 }), 1000);
    expect(once.fresh).toBe(true);
    const twice = fold(once.fleet, report({ seq: 3 }), 1001);
    expect(twice).toEqual({ fleet: once.fleet, fresh: false });
  });

  test("a new boot starts its sequence anew; an old boot that comes back is still known", () => {
    let fleet = fold(emptyFleet, report({ boot: "one", seq: 7, pools: [pool({ counters: { promptTokens: 5 } })] }), 1000).fleet;
    fleet = fold(fleet, report({ boot: "two", seq: 0, pools: [pool({ counters: { promptTokens: 5 } })] }), 1001).fleet;
    expect(fold(fleet, report({ boot: "one", seq: 7 }), 1002).fresh).toBe(false);
    expect([foldedSeq(fleet, "node-a", "one"), foldedSeq(fleet, "node-a", "two"), foldedSeq(fleet, "node-a", "three")]).toEqual([7, 0, -1]);
    expect(fleetTotals(fleet).get("demo/prefill")?.counters.promptTokens).toBe(10);
  });

  test("what was folded before is not touched by what comes after", () => {
    const before = fold(emptyFleet, report({ seq: 0, pools: [pool({ counters: { promptTokens: 5 } })] }), 1000).fleet;
    const copy = structuredClone(plain(before));
    fold(before, report({ seq: 1, pools: [pool({ counters: { promptTokens: 9 } })] }), 1001);
    expect(plain(before)).toEqual(copy);
  });

  test("a node that left for good is forgotten, its totals are not", () => {
    let fleet = fold(emptyFleet, report({ pools: [pool({ counters: { promptTokens: 5 } })] }), 1000).fleet;
    fleet = setConnected(fleet, "node-a", false, 1000);
    expect(forget(fleet, 1000 + FORGET_AFTER).nodes.size).toBe(1);
    const later = forget(fleet, 1001 + FORGET_AFTER);
    expect(later.nodes.size).toBe(0);
    expect(fleetTotals(later).get("demo/prefill")?.counters.promptTokens).toBe(5);
    // A connected one stays, however quiet.
    expect(forget(setConnected(fleet, "node-a", true, 1000), 1e9).nodes.size).toBe(1);
  });

  test("an agent that never reported leaves with its link", () => {
    const fleet = setConnected(emptyFleet, "quiet", true, 1000);
    expect(fleet.nodes.get("quiet")?.connected).toBe(true);
    expect(setConnected(fleet, "quiet", false, 1001).nodes.size).toBe(0);
  });
});

describe("adding amounts", () => {
  const amounts = anyPool.map((p): Amounts => ({
    ...amountsOf(p),
    id: { namespace: "n", pool: "p", role: "prefill", model: "m", engine: "vllm" },
  }));

  test("is associative and commutative", () => {
    fc.assert(
      fc.property(amounts, amounts, amounts, (a, b, c) => {
        expect(addAmounts(addAmounts(a, b), c)).toEqual(addAmounts(a, addAmounts(b, c)));
        expect(addAmounts(a, b)).toEqual(addAmounts(b, a));
      }),
    );
  });

  test("what nobody reported stays missing, and is not zero", () => {
    const sum = addAmounts(amountsOf(pool({ counters: { promptTokens: 1 } })), amountsOf(pool({ counters: { steps: 2 } })));
    expect(sum.counters).toEqual({ promptTokens: 1, steps: 2 });
    expect(sum.distributions).toEqual({});
  });
});
