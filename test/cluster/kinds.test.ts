import { afterAll, afterEach, describe, expect, test } from "vitest";
import { actOn, type Acting } from "../support/cluster/acting.ts";
import { openCluster } from "../support/cluster/cluster.ts";
import { startPair, type Counts, type Pair } from "../support/cluster/operator.ts";
import { SHAPES, type Shape } from "../support/cluster/shapes.ts";
import { until } from "../scaler/support/wait.ts";

const cluster = await openCluster();
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(() => cluster.close());

async function open(shape: Shape, counts: Counts, budget = 4): Promise<{ readonly pair: Pair; readonly acting: Acting }> {
  const pair = await startPair(cluster, shape, counts);
  const acting = actOn(cluster, shape, pair, { budget });
  cleanups.push(pair.stop, acting.stop);
  return { pair, acting };
}

describe.each(SHAPES.map((shape) => ({ shape, title: shape.title, missing: cluster.missing(shape) })))("$title", ({ shape, missing }) => {
  const needs = missing === undefined ? "" : ` [${missing}]`;

  test.skipIf(missing !== undefined)(`is seen, scaled up and down, and nothing else of it is touched${needs}`, async () => {
    const { pair, acting } = await open(shape, { prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    const before = await pair.rest();
    expect(await acting.apply(2, 2)).toMatchObject({
      outcome: "applied",
      actions: [
        { role: "prefill", from: 1, to: 2 },
        { role: "decode", from: 1, to: 2 },
      ],
    });
    expect(await pair.wanted()).toEqual({ prefill: 2, decode: 2 });
    await acting.settled(2, 2);
    expect((await acting.apply(1, 2)).outcome).toBe("applied");
    await acting.settled(1, 2);
    expect(await pair.wanted()).toEqual({ prefill: 1, decode: 2 });
    expect(await pair.rest()).toEqual(before);
  });

  test.skipIf(missing !== undefined)(`is converted within a full budget: drained first, then grown${needs}`, async () => {
    const { pair, acting } = await open(shape, { prefill: 1, decode: 2 }, 3);
    await acting.settled(1, 2);
    const first = await acting.apply(2, 1);
    expect(first).toMatchObject({ outcome: "applied", actions: [{ role: "decode", from: 2, to: 1 }] });
    expect(first.error).toContain("1 more wait until 1 GPUs of the budget of 3 are let go");
    expect(await pair.wanted()).toEqual({ prefill: 1, decode: 1 });
    await until("the second half", async () => ((await acting.apply(2, 1)).outcome === "applied" ? true : undefined), 120_000);
    await acting.settled(2, 1);
    expect(await pair.wanted()).toEqual({ prefill: 2, decode: 1 });
    expect(acting.most()).toBe(3);
  });
});
