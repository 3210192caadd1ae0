import { describe, expect, test } from "vitest";
import { closeInterval, remember, startInterval, type IntervalLog } from "../../../scaler/intake/interval.ts";
import { pool, replica, report } from "../support/reports.ts";

const every = (): boolean => true;
const tokens = (n: number, node = "node-a", seq = 0, interval = 1) =>
  report({ node, seq, interval, pools: [pool({ counters: { promptTokens: n }, replicas: [replica("p-0", { kvTokens: n })] })] });

const fill = (log: IntervalLog, ...list: ReturnType<typeof tokens>[]): IntervalLog => list.reduce(remember, log);

describe("a control interval", () => {
  test("sums a node's reports and pools the nodes; its seconds are what the deltas cover", () => {
    const log = fill(startInterval(100), tokens(1), tokens(2, "node-a", 1), tokens(4, "node-b"), tokens(8, "node-b", 1));
    const closed = closeInterval(log, 102, 2, every);
    expect(closed?.interval.pools.get("demo/prefill")).toMatchObject({
      counters: { promptTokens: 15 },
      seconds: 2,
      kvTokensPerReplica: 15 / 4,
    });
    expect(closed?.interval.late).toBe(0);
    expect(closed?.next).toEqual(startInterval(102));
  });

  test("without a report there is no interval, and time goes on counting", () => {
    const log = startInterval(100);
    expect(closeInterval(log, 105, 5, every)).toBeUndefined();
    const closed = closeInterval(remember(log, tokens(3, "node-a", 0, 5)), 110, 5, every);
    expect(closed?.interval.elapsed).toBe(10);
  });

  test("an agent's backlog after an outage does not look like one tick's work", () => {
    const backlog = Array.from({ length: 60 }, (_, seq) => tokens(10, "node-a", seq));
    const closed = closeInterval(fill(startInterval(100), ...backlog), 105, 5, every);
    const pooled = closed?.interval.pools.get("demo/prefill");
    // As many seconds of work as seconds covered: the rate is what it was.
    expect((pooled?.counters.promptTokens ?? 0) / (pooled?.seconds ?? 1)).toBe(10);
    expect(pooled?.seconds).toBeLessThanOrEqual(8);
    expect(closed?.interval.late).toBe(60 - (pooled?.seconds ?? 0));
  });

  test("a node that joined midway does not shorten the others' interval", () => {
    const log = fill(startInterval(100), ...[0, 1, 2, 3, 4].map((seq) => tokens(10, "node-a", seq)), tokens(10, "node-b"));
    expect(closeInterval(log, 105, 5, every)?.interval.pools.get("demo/prefill")).toMatchObject({
      seconds: 5,
      counters: { promptTokens: 60 },
    });
  });

  test("only selected pools, and a bounded number of reports per node", () => {
    const log = fill(startInterval(0), ...Array.from({ length: 500 }, (_, seq) => tokens(1, "node-a", seq)));
    expect(log.reports.get("node-a")?.length).toBe(120);
    expect(closeInterval(log, 1000, 600, every)?.interval.late).toBe(380);
    expect(closeInterval(log, 1000, 600, () => false)).toBeUndefined();
  });

  test("the log is a value: remembering does not change the one before", () => {
    const before = startInterval(1);
    remember(before, tokens(1));
    expect(before.reports.size).toBe(0);
  });
});
