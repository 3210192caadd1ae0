import { describe, expect, test } from "vitest";
import { emptyFleet } from "../../../scaler/intake/fleet-view.ts";
import { fold } from "../../../scaler/intake/fold.ts";
import { createLinkMatrix, MAX_LINKS, type LinkMatrix } from "../../../scaler/intake/link-matrix.ts";
import { createStitcher } from "../../../scaler/intake/stitch.ts";
import { noticesOf, pageLinks } from "../../../scaler/loop/links.ts";
import { createScalerMetrics } from "../../../scaler/serve/metrics.ts";
import { policyOf } from "../support/policy.ts";
import { half, pool, report } from "../support/reports.ts";

let traces = 0;
/** A request as its two nodes report it. */
function send(matrix: LinkMatrix, source: string, target: string, seconds: number, promptTokens = 1000): void {
  const stitcher = createStitcher();
  const trace = `t${traces++}`;
  stitcher.add(half({ trace, role: "prefill", promptTokens }), source, 101, 1);
  const joined = stitcher.add(
    half({ trace, role: "decode", pool: "decode", start: 101, firstToken: 1, kvTransfer: seconds }),
    target,
    103,
    1,
  );
  if (joined === undefined) throw new Error("not stitched");
  matrix.add(joined);
}

/** vLLM's way: prefill counts the prompts, decode the bytes. */
function count(matrix: LinkMatrix, kvTransferBytes: number, promptTokens: number, kvTransferFailures = 0): void {
  matrix.report("p1", pool({ counters: { promptTokens } }));
  matrix.report("d1", pool({ pool: "decode", role: "decode", counters: { kvTransferBytes, kvTransferFailures } }));
}

describe("the matrix of KV transfers", () => {
  test("says per pair of nodes how many, how fast and how much, in the engines' own bytes", () => {
    const matrix = createLinkMatrix(0);
    for (let i = 0; i < 10; i++) send(matrix, "p1", "d1", 0.02);
    send(matrix, "p1", "d2", 0.04, 3000);
    count(matrix, 10e9, 10_000, 2);
    expect(matrix.turn(9.9)).toBeUndefined();
    expect(matrix.turn(10)?.size).toBe(2);
    const { seconds, links, others } = pageLinks("demo/test", matrix.view());
    expect([seconds, others]).toEqual([10, 0]);
    expect(links[0]).toMatchObject({
      source: "p1",
      target: "d1",
      transfers: 10,
      failures: 2,
      bytesPerSecond: 1e9,
      slow: false,
      slowness: null,
    });
    expect(links[0]?.meanSeconds).toBeCloseTo(0.02, 9);
    expect(links[0]?.speed).toBeCloseTo(50e9, 0);
    expect(links[1]).toMatchObject({ target: "d2", transfers: 1, bytesPerSecond: 0.3e9 });
  });

  test("has no bytes while no engine counts them, and speaks for the last minute only", () => {
    const matrix = createLinkMatrix(0);
    send(matrix, "p1", "d1", 0.02);
    matrix.turn(10);
    expect(pageLinks("p", matrix.view()).links[0]).toMatchObject({ transfers: 1, bytesPerSecond: null, speed: null });
    for (let at = 20; at <= 70; at += 10) matrix.turn(at);
    expect(pageLinks("p", matrix.view())).toEqual({ policy: "p", seconds: 60, links: [], others: 0 });
  });

  test("is bounded: further links are summed up as one, on the page too", () => {
    const matrix = createLinkMatrix(0);
    for (let i = 0; i < 3 * MAX_LINKS; i++) send(matrix, `p${i}`, "d1", 0.02);
    matrix.turn(10);
    const { tallies } = matrix.view();
    expect(tallies.size).toBe(MAX_LINKS + 1);
    expect([...tallies.values()].reduce((sum, { transfers }) => sum + transfers, 0)).toBe(3 * MAX_LINKS);
    const { links, others } = pageLinks("p", matrix.view());
    expect(links.length + others).toBe(MAX_LINKS + 1);
    expect(links.length).toBe(32);
  });

  test("names a slow link in a notice and in metrics, beside what nodes say of their own path", async () => {
    const matrix = createLinkMatrix(0);
    const metrics = createScalerMetrics();
    const policy = policyOf();
    count(matrix, 1e9, 1000);
    for (let at = 10; at <= 60; at += 10) {
      for (let i = 0; i < 25; i++) {
        for (const target of ["d1", "d2", "d3"]) send(matrix, "p1", target, 0.02);
        send(matrix, "p1", "d4", 0.09);
      }
      const closed = matrix.turn(at);
      if (closed !== undefined) metrics.links(policy, closed, matrix.view());
    }
    const problem = { problem: "kv-transfer-fell-back-to-tcp" as const, raised: true, since: 40, text: "KV 1 GB/s" };
    const clear = { problem: "kv-path-congested" as const, raised: false, since: 1 };
    const kvPath = { seconds: 5, age: 1, rates: {}, problems: [problem, clear] };
    const { fleet } = fold(emptyFleet, report({ node: "d9", kvPath }), 55);
    const views = new Map([["demo/test", matrix.view()]]);
    expect(noticesOf(fleet, views, 60)).toEqual([
      { code: "kv-transfer-fell-back-to-tcp", subject: "node d9", text: "KV 1 GB/s", since: 40 },
      {
        code: "kv-link-slow",
        subject: "p1 → d4",
        text: "4.5 times slower than the median link of demo/test, 90.0 ms a transfer",
        since: 40,
      },
    ]);
    expect(noticesOf(fleet, new Map(), 200)).toEqual([]);
    expect(pageLinks("demo/test", matrix.view()).links[0]).toMatchObject({ target: "d4", slow: true });

    const labels = `namespace="${policy.metadata.namespace}",policy="${policy.metadata.name}",source="p1"`;
    const page = await metrics.page();
    expect(page).toContain(`fulcrum_kv_link_transfers_total{${labels},target="d4"} 150\n`);
    expect(page).toContain(`fulcrum_kv_link_slow{${labels},target="d4"} 1\n`);
    expect(page).toContain(`fulcrum_kv_link_slow{${labels},target="d1"} 0\n`);
    expect(page).toMatch(new RegExp(`fulcrum_kv_link_speed_bytes_per_second\\{${labels},target="d1"\\} (5e\\+10|50000000000|4.99|5.00)`));
    metrics.dropPolicy(policy);
    expect(await metrics.page()).not.toContain("fulcrum_kv_link_slow{");
  });

  test("forgets the series of a link that carries nothing for ten minutes", async () => {
    const matrix = createLinkMatrix(0);
    const metrics = createScalerMetrics();
    const policy = policyOf();
    send(matrix, "p1", "gone", 0.02);
    for (let at = 10; at <= 640; at += 10) {
      send(matrix, "p1", "d1", 0.02);
      const closed = matrix.turn(at);
      if (closed !== undefined) metrics.links(policy, closed, matrix.view());
    }
    const page = await metrics.page();
    expect(page).toContain('target="d1"');
    expect(page).not.toContain('target="gone"');
  });
});
