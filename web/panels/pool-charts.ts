import type { PageFrame, PagePool } from "../../wire/page.ts";
import { countAxis, percentAxis } from "../axis.ts";
import type { ChartSpec, Line } from "../chart-options.ts";
import { count, type Format, percent, replicas, requests, tokenRate } from "../format.ts";

export type PoolRole = PagePool["role"];

export const poolOf = (frame: PageFrame | null, role: PoolRole): PagePool | null => frame?.pools.find((p) => p.role === role) ?? null;

/** What the ready replicas sustain by what was learned of one. */
export function capacity(pool: PagePool | null): number | null {
  return pool === null || pool.velocity === null || pool.ready === null ? null : pool.velocity * pool.ready;
}

export const LIMIT_UNIT = { prefill: "tok/pass", decode: "seq" } as const satisfies Record<PoolRole, string>;

const poolCharts = (role: PoolRole): readonly ChartSpec[] => {
  type Look = Omit<Line, "label" | "pick" | "format">;
  const line = (label: string, format: Format, pick: (pool: PagePool) => number | null, look: Look): Line => ({
    label,
    format,
    pick: (frame) => {
      const pool = poolOf(frame, role);
      return pool === null ? null : pick(pool);
    },
    ...look,
  });
  const limit = count(LIMIT_UNIT[role]);
  return [
    {
      title: "Replicas",
      axis: countAxis("replicas"),
      atLeast: 4,
      whole: true,
      lines: [
        line("ready", replicas, (p) => p.ready, { tone: "blue", step: true, width: 2, fill: true }),
        line("starting", replicas, (p) => p.starting, { tone: "orange", step: true }),
        line("draining", replicas, (p) => p.draining, { tone: "purple", step: true, dash: "dotted", width: 2 }),
        line("desired", replicas, (p) => p.desired, { tone: "ink", step: true, dash: "dashed" }),
      ],
    },
    {
      title: "Requests",
      axis: countAxis("requests"),
      atLeast: 4,
      whole: true,
      lines: [
        line("running", requests, (p) => p.running, { tone: "blue" }),
        line("waiting", requests, (p) => p.waiting, { tone: "orange", width: 2 }),
      ],
    },
    {
      title: "Tokens per second against learned capacity",
      axis: countAxis("tok/s"),
      atLeast: 100,
      lines: [
        line("delivered", tokenRate, (p) => p.tokensPerSecond, { tone: "blue", fill: true }),
        line("velocity × ready", tokenRate, capacity, { tone: "ink", dash: "dashed" }),
      ],
    },
    {
      title: "KV cache usage",
      axis: percentAxis,
      top: 1,
      lines: [line("KV in use", percent, (p) => p.kvUsage, { tone: "green", fill: true })],
    },
    {
      title: "GPU activity",
      axis: percentAxis,
      top: 1,
      lines: [
        line("SM", percent, (p) => p.gpu.sm, { tone: "blue" }),
        line("tensor", percent, (p) => p.gpu.tensor, { tone: "orange", width: 2 }),
        line("DRAM", percent, (p) => p.gpu.dram, { tone: "green", dash: "dashed" }),
      ],
    },
    {
      title: "Batch limit",
      axis: countAxis(LIMIT_UNIT[role]),
      atLeast: 16,
      whole: true,
      lines: [line(role === "prefill" ? "max batched tokens" : "max sequences", limit, (p) => p.limit, { tone: "purple", step: true })],
    },
  ];
};

/** Built once: a new object would rebuild its chart. */
export const POOL_CHARTS: Record<PoolRole, readonly ChartSpec[]> = { prefill: poolCharts("prefill"), decode: poolCharts("decode") };
