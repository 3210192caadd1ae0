import type { BacktestReport, ReportedRun } from "./report.ts";
import { reportText } from "./report.ts";

/** A self-contained page: the table, and each run's replicas over time. No script, no outside resource. */
export function reportHtml(report: BacktestReport): string {
  const most = Math.max(1, ...report.runs.flatMap((run) => run.timeline.map(([, prefill, decode]) => Math.max(prefill, decode))));
  const charts = report.runs.map((run) => chart(run, report.trace.seconds, most)).join("\n");
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Fulcrum back-test: ${escape(report.trace.name)}</title>
<style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2430}
pre{overflow-x:auto;background:#f4f6f8;padding:1rem}svg{width:100%;height:auto}text{font-size:11px;fill:#556}
.prefill{stroke:#b4491f;color:#b4491f}.decode{stroke:#1f5fb4;color:#1f5fb4}path{fill:none;stroke-width:2}</style>
<h1>Back-test</h1>
<pre>${escape(reportText(report))}</pre>
<p><b class="prefill">— prefill</b> and <b class="decode">— decode</b> replicas that are paid for (ready and starting) over time.</p>
${charts}
</html>
`;
}

const WIDTH = 900;
const HEIGHT = 160;
const LEFT = 30;
const BOTTOM = 20;

function chart(run: ReportedRun, seconds: number, most: number): string {
  const x = (at: number): number => LEFT + ((WIDTH - LEFT - 10) * Math.min(at, seconds)) / Math.max(1, seconds);
  const y = (replicas: number): number => 10 + (HEIGHT - BOTTOM - 10) * (1 - replicas / most);
  const line = (column: 1 | 2, name: string): string => {
    const first = run.timeline[0]?.[column] ?? 0;
    const steps = run.timeline.slice(1).map((row) => `H${x(row[0]).toFixed(1)}V${y(row[column]).toFixed(1)}`);
    return `<path class="${name}" d="M${LEFT} ${y(first).toFixed(1)}${steps.join("")}H${x(seconds).toFixed(1)}"><title>${name} replicas</title></path>`;
  };
  const rule = (replicas: number): string =>
    `<line x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(replicas)}" y2="${y(replicas)}" stroke="#dde"/><text x="2" y="${y(replicas) + 4}">${replicas}</text>`;
  return `<h2>${escape(run.controller)}</h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="replicas over time, ${escape(run.controller)}">
${[0, Math.ceil(most / 2), most].map(rule).join("")}
<text x="${LEFT}" y="${HEIGHT - 4}">0 s</text><text x="${WIDTH - 60}" y="${HEIGHT - 4}">${seconds.toFixed(0)} s</text>
${line(1, "prefill")}${line(2, "decode")}
</svg>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
