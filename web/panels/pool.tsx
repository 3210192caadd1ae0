import type { PagePool } from "../../wire/page.ts";
import { Chart } from "../chart.tsx";
import { count, type Format, percent, replicas, requests, tokenRate, watts } from "../format.ts";
import { latest, shown } from "../live.ts";
import { Value } from "../value.tsx";
import { LIMIT_UNIT, POOL_CHARTS, poolOf, type PoolRole } from "./pool-charts.ts";

const NAMES = { prefill: "Prefill", decode: "Decode" } as const satisfies Record<PoolRole, string>;

export function Pool({ role }: { readonly role: PoolRole }) {
  const pool = poolOf(latest.value, role);
  const id = `pool-${role}`;
  return (
    <section class="panel charts" aria-labelledby={id}>
      <h2 id={id}>
        {NAMES[role]} {pool === null ? null : <span class="muted">{pool.name}</span>}
      </h2>
      <dl class="facts">
        {FACTS.map((fact) => (
          <div key={fact.name}>
            <dt title={fact.title}>{fact.name}</dt>
            <dd>
              <Value value={pool === null ? null : fact.value(pool)} format={fact.format(role)} />
            </dd>
          </div>
        ))}
      </dl>
      <div class="grid">
        {POOL_CHARTS[role].map((spec) => (
          <Chart key={spec.title} spec={spec} view={shown.value} />
        ))}
      </div>
    </section>
  );
}

interface Fact {
  readonly name: string;
  readonly title: string;
  readonly value: (pool: PagePool) => number | null;
  readonly format: (role: PoolRole) => Format;
}

const FACTS: readonly Fact[] = [
  { name: "Ready", title: "replicas that serve", value: (p) => p.ready, format: () => replicas },
  { name: "Desired", title: "replicas the scaler wants", value: (p) => p.desired, format: () => replicas },
  { name: "Waiting", title: "requests not yet scheduled", value: (p) => p.waiting, format: () => requests },
  { name: "KV cache", title: "KV cache in use, mean over replicas", value: (p) => p.kvUsage, format: () => percent },
  {
    name: "Velocity",
    title: "tokens per second that one replica sustains at its batch limit, as learned",
    value: (p) => p.velocity,
    format: () => tokenRate,
  },
  {
    name: "Batch limit",
    title: "tokens per pass (prefill) or sequences (decode)",
    value: (p) => p.limit,
    format: (role) => count(LIMIT_UNIT[role]),
  },
  { name: "Power", title: "GPU power draw", value: (p) => p.gpu.powerWatts, format: () => watts },
];
