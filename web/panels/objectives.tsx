import type { PageFrame, PagePolicy } from "../../wire/page.ts";
import { attainment, bandwidth, count, type Format, GAP, gpus, latency, percent, span } from "../format.ts";
import { latest, model, policy } from "../live.ts";
import { Value } from "../value.tsx";
import { LastChange } from "./last-change.tsx";
import { Note, Tile } from "./tile.tsx";

/** The questions of a glance: are the targets held, at what cost, on what evidence, and what was done last. */
export function Objectives() {
  const shown = policy.value;
  if (shown === null) return null;
  const frame = latest.value;
  return (
    <section class="strip" aria-label="Objectives">
      <Objective name="TTFT" title="time to first token, 95th percentile of the last interval" part="ttft" policy={shown} frame={frame} />
      <Objective name="ITL" title="inter-token latency, 95th percentile of the last interval" part="itl" policy={shown} frame={frame} />
      <Tile name="Attainment" title="share of the last interval's samples within the target">
        <span class="pair">
          <small>TTFT</small> <Value value={frame?.ttft?.attainment} format={attainment} />
        </span>
        <span class="pair">
          <small>ITL</small> <Value value={frame?.itl?.attainment} format={attainment} />
        </span>
      </Tile>
      <Budget policy={shown} />
      <Tile name="KV transfer" title="KV cache handed from prefill to decode per second">
        <Value value={frame?.transfer?.bytesPerSecond} format={bandwidth} />
        <Note bad={(frame?.transfer?.failures ?? 0) > 0}>
          <Value value={frame?.transfer?.failures} format={count("failure", "failures")} />
        </Note>
      </Tile>
      <Agents />
      <LastChange />
    </section>
  );
}

interface ObjectiveProps {
  readonly name: string;
  readonly title: string;
  readonly part: "ttft" | "itl";
  readonly policy: PagePolicy;
  readonly frame: PageFrame | null;
}

function Objective({ name, title, part, policy: shown, frame }: ObjectiveProps) {
  const objective = shown.objectives[part];
  const target = frame?.[part]?.target ?? objective?.target ?? null;
  const value = frame?.[part]?.p95 ?? null;
  return (
    <Tile name={`${name} p95`} title={title}>
      <span>
        <Value value={value} format={latency} /> <Verdict value={value} target={target} />
      </span>
      <Note>
        target{objective === null || objective.quantile === SHOWN_QUANTILE ? "" : ` of p${quantile(objective.quantile)}`} ≤{GAP}
        <Value value={target} format={latency} />
      </Note>
      <Note>
        predicted <Value value={frame?.predicted[part]} format={latency} />
      </Note>
    </Tile>
  );
}

/** Frames carry p50 and p95; a target at another quantile is named, so that the two are not taken for one. */
const SHOWN_QUANTILE = 0.95;
const quantile: Format = (q) => String(Number((q * 100).toFixed(2)));

/** A word beside the colour: colour alone does not reach everybody. */
function Verdict({ value, target }: { readonly value: number | null; readonly target: number | null }) {
  if (value === null || target === null) return null;
  return value <= target ? <span class="verdict good">met</span> : <span class="verdict bad">missed</span>;
}

function Budget({ policy: shown }: { readonly policy: PagePolicy }) {
  const { gpusAllocated: used, budgetGpus: budget } = shown;
  const part = used !== null && budget !== null && budget > 0 ? Math.min(1, used / budget) : null;
  return (
    <Tile name="GPUs in use" title="GPUs of ready and starting replicas, and the policy's budget">
      <span>
        <Value value={used} format={gpus} /> {budget === null ? null : <small class="muted">of {budget}</small>}
      </span>
      <Note>{budget === null ? "no budget set" : part === null ? `budget ${gpus(budget)}` : `${percent(part)} of the budget`}</Note>
      {part === null ? null : (
        <span class="meter" aria-hidden="true">
          <span style={{ width: `${part * 100}%` }} />
        </span>
      )}
    </Tile>
  );
}

function Agents() {
  const agents = model.value.state?.agents ?? [];
  const up = agents.filter((a) => a.connected);
  const oldest = up.reduce((most, a) => Math.max(most, a.age), 0);
  const down = agents.filter((a) => !a.connected).map((a) => a.node);
  return (
    <Tile
      name="Agents"
      title={agents.map((a) => `${a.node}: ${a.connected ? "connected" : "gone"}, last report ${span(a.age)} ago`).join("\n")}
    >
      <span>
        <span class="value">{up.length}</span> <small class="muted">of {agents.length} connected</small>
      </span>
      {down.length > 0 ? (
        <Note bad>missing {down.slice(0, 3).join(", ")}</Note>
      ) : (
        <Note>oldest report {up.length === 0 ? "—" : span(oldest)}</Note>
      )}
    </Tile>
  );
}
