import type { FleetStatus } from "../../core/fleet-control.ts";
import type { PageDecision, PageFrame } from "../../wire/page.ts";

/** What the status block is drawn from. */
export interface DemoView {
  readonly status: FleetStatus | undefined;
  readonly frame: PageFrame | undefined;
  readonly last: PageDecision | undefined;
  readonly page: string;
  readonly notes: readonly string[];
}

const ms = (s: number | null | undefined): string => (s === null || s === undefined ? "—" : `${(s * 1000).toFixed(s < 0.1 ? 1 : 0)} ms`);
const n = (x: number | null | undefined, unit = ""): string => (x === null || x === undefined ? "—" : `${x}${unit}`);
const percent = (x: number | null | undefined): string => (x === null || x === undefined ? "—" : `${(x * 100).toFixed(1)} %`);

/** The live block, a handful of plain lines; "—" is absent, never zero. */
export function statusLines(v: DemoView): string[] {
  const s = v.status;
  const f = v.frame;
  const gbs = f?.transfer === null || f?.transfer === undefined ? "—" : `${(f.transfer.bytesPerSecond / 1e9).toFixed(2)} GB/s`;
  const head =
    s === undefined
      ? "waiting for the fleet"
      : `${bar(s.elapsed / Math.max(s.duration, 1))} ${clock(s.elapsed)}/${clock(s.duration)}  requests ${s.completed}/${s.submitted} done, ${s.inFlight} in flight`;
  const latency = `TTFT p95 ${ms(f?.ttft?.p95)} (target ${ms(f?.ttft?.target)}, met ${percent(f?.ttft?.attainment)})   ITL p95 ${ms(f?.itl?.p95)} (target ${ms(f?.itl?.target)}, met ${percent(f?.itl?.attainment)})   KV ${gbs}`;
  const pools = (f?.pools ?? []).map(
    (p) =>
      `${p.role.padEnd(8)} ready ${n(p.ready)}  starting ${n(p.starting)}  draining ${n(p.draining)}  desired ${n(p.desired)}  waiting ${n(p.waiting)}  running ${n(p.running)}`,
  );
  return [head, latency, ...pools, lastDecision(v.last), ...v.notes.slice(-2), `page ${v.page}`];
}

function lastDecision(d: PageDecision | undefined): string {
  if (d === undefined) return "decision —";
  const reason = d.decision.reasons[0];
  const { prefill, decode } = d.decision.pools;
  return `decision prefill ${prefill.replicas}, decode ${decode.replicas} (${d.outcome}) ${reason === undefined ? "" : `${reason.code}: ${reason.text}`}`;
}

const clock = (s: number): string => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

function bar(share: number): string {
  const width = 24;
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${"#".repeat(full)}${".".repeat(width - full)}]`;
}
