import type { Reason } from "../../core/decision.ts";
import type { DecisionRow, Step } from "../changes.ts";
import { clock, iso } from "../clock.ts";
import { figure } from "../figures.ts";
import { latency } from "../format.ts";
import { Candidates } from "./candidates.tsx";

const OUTCOMES = {
  applied: "the change was applied",
  unchanged: "the pools already are as wanted",
  observe: "observe mode: nothing was applied",
  held: "left as it is by missing evidence, pause or a guardrail",
  failed: "the change could not be applied",
} as const;

export function DecisionItem({ row }: { readonly row: DecisionRow }) {
  const { decision, outcome, error } = row.entry;
  return (
    <li class={row.changed ? "decision changed" : "decision"}>
      <div class="decision-head">
        <time dateTime={iso(decision.at)} title={iso(decision.at)}>
          {clock(decision.at)}
        </time>
        <span class="steps">
          <Steps row={row} />
        </span>
        <span class={`badge outcome-${outcome}`} title={OUTCOMES[outcome]}>
          {outcome}
        </span>
      </div>
      {error === undefined ? null : <p class="error">{error}</p>}
      <ul class="reasons">
        {decision.reasons.map((reason, i) => (
          // A code may come twice, once per pool.
          <li key={i}>
            <code class="chip">{reason.code}</code> {reason.text}
          </li>
        ))}
      </ul>
      <Details row={row} />
    </li>
  );
}

/** "P 3→4", and for the ear "prefill 3 to 4". */
export function Steps({ row }: { readonly row: DecisionRow }) {
  return (
    <>
      <PoolStep letter="P" name="prefill" step={row.prefill} />
      <PoolStep letter="D" name="decode" step={row.decode} />
    </>
  );
}

function PoolStep({ letter, name, step }: { readonly letter: string; readonly name: string; readonly step: Step }) {
  const { from, to } = step;
  const moved = from !== null && from !== to;
  const direction = !moved ? "same" : to > from ? "up" : "down";
  return (
    <span class={`step ${direction}`} title={moved ? `${name} replicas from ${from} to ${to}` : `${name} replicas: ${to}`}>
      <span aria-hidden="true">
        {letter} {moved ? `${from}→${to}` : to}
      </span>
      <span class="unseen">{moved ? `${name} ${from} to ${to} replicas` : `${name} ${to} replicas`}</span>
    </span>
  );
}

/** The figures behind the sentences; closed until asked for. */
function Details({ row }: { readonly row: DecisionRow }) {
  const { decision } = row.entry;
  const groups = decision.reasons.filter((r) => r.numbers !== undefined && Object.keys(r.numbers).length > 0);
  const lines = consequences(row);
  const candidates = decision.candidates ?? [];
  if (groups.length + lines.length + candidates.length === 0) return null;
  return (
    <details>
      <summary>
        Figures<span class="unseen"> of the decision at {clock(decision.at)}</span>
      </summary>
      {groups.map((reason, i) => (
        <Figures key={i} reason={reason} />
      ))}
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      {candidates.length === 0 ? null : <Candidates candidates={candidates} chosen={decision.pools} />}
    </details>
  );
}

function Figures({ reason }: { readonly reason: Reason }) {
  return (
    <dl class="figures">
      {Object.entries(reason.numbers ?? {}).map(([name, value]) => {
        const { label, value: text } = figure(name, value);
        return (
          <div key={name}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        );
      })}
    </dl>
  );
}

function consequences({ entry: { decision } }: DecisionRow): readonly string[] {
  const lines = decision.moves.map(
    (m) => `${m.replicas} ${m.replicas === 1 ? "replica's GPUs move" : "replicas' GPUs move"} from ${m.from} to ${m.to}.`,
  );
  const { prefill, decode } = decision.pools;
  if (prefill.limits !== undefined) lines.push(`Prefill batch limit ${prefill.limits.maxBatchedTokens} tokens per pass.`);
  if (decode.limits !== undefined) lines.push(`Decode batch limit ${decode.limits.maxNumSeqs} sequences.`);
  const { ttft, itl } = decision.predicted;
  if (ttft !== undefined) lines.push(`Predicted TTFT ${latency(ttft)} at the objective's quantile.`);
  if (itl !== undefined) lines.push(`Predicted ITL ${latency(itl)} at the objective's quantile.`);
  return lines;
}
