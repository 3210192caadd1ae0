import type { RunResult } from "../backtest/run.ts";

/** Every peer at every factor, and Fulcrum, in one scenario; or why it was left out. */
export type ProvisionedOutcome =
  | { readonly name: string; readonly own: RunResult; readonly peers: readonly Provisioned[] }
  | { readonly name: string; readonly skipped: string };

export interface Provisioned {
  readonly factor: number;
  readonly run: RunResult;
}

/** What operators give a controller that starves its users. */
export const FACTORS = [1, 1.25, 1.5, 2, 3] as const;

/** docs/scoreboard-provisioned.md: what the peers cost when they are given as many replicas as it takes to serve as well. */
export function provisionedBoard(
  outcomes: readonly ProvisionedOutcome[],
  facts: { readonly command: string; readonly data: string },
): string {
  const played = outcomes.filter((outcome) => "own" in outcome);
  const unmatched = played.filter((outcome) => asGoodForLess(outcome).length === 0).length;
  const parts = [
    "# Scoreboard: the others with more replicas",
    "",
    `Written by \`${facts.command}\`; do not edit. ${facts.data}`,
    "",
    "A controller that starves its users is cheaper than any that serves them, so GPU-hours alone say little of it. Here every adaptive baseline runs again with",
    `${FACTORS.slice(1).join(", ")} times the replicas it asks for (rounded up; it is shown a fleet that is as much smaller), and the best factor is picked in`,
    "hindsight. A cell is **both** @ GPU-hours as in the [scoreboard](scoreboard.md); bold is at least Fulcrum's `both` at no more GPU-hours.",
    "",
    `- No adaptive baseline, at any factor, serves as well as Fulcrum for as little: ${unmatched} of ${played.length} scenarios.`,
    "",
    "| scenario | fulcrum | cheapest baseline that serves as well | its GPU-hours ÷ Fulcrum's |",
    "| --- | --- | --- | --: |",
    ...outcomes.map(summaryRow),
  ];
  for (const outcome of outcomes) parts.push("", ...section(outcome));
  return `${parts.join("\n")}\n`;
}

type Played = Extract<ProvisionedOutcome, { readonly own: RunResult }>;

const servesAsWell = ({ own }: Played, { run }: Provisioned): boolean => run.attainment.both >= own.attainment.both;
const asGoodForLess = (outcome: Played): Provisioned[] =>
  outcome.peers.filter((peer) => servesAsWell(outcome, peer) && peer.run.gpuHours <= outcome.own.gpuHours);

const figures = ({ attainment, gpuHours }: RunResult): string => `${(attainment.both * 100).toFixed(2)} @ ${gpuHours.toFixed(2)}`;

function summaryRow(outcome: ProvisionedOutcome): string {
  if ("skipped" in outcome) return `| ${outcome.name} | not run: ${outcome.skipped} | | |`;
  const { name, own, peers } = outcome;
  const able = peers.filter((peer) => servesAsWell(outcome, peer)).toSorted((a, b) => a.run.gpuHours - b.run.gpuHours)[0];
  if (able === undefined) return `| ${name} | ${figures(own)} | none at any factor | — |`;
  const { run, factor } = able;
  return `| ${name} | ${figures(own)} | ${run.controller} × ${factor}: ${figures(run)} | ${(run.gpuHours / own.gpuHours).toFixed(2)} |`;
}

function section(outcome: ProvisionedOutcome): string[] {
  if ("skipped" in outcome) return [`## ${outcome.name}`, "", `Not run: ${outcome.skipped}.`];
  const winners = new Set(asGoodForLess(outcome));
  const names = [...new Set(outcome.peers.map(({ run }) => run.controller))];
  const row = (name: string): string => {
    const cells = outcome.peers
      .filter(({ run }) => run.controller === name)
      .map((peer) => (winners.has(peer) ? `**${figures(peer.run)}**` : figures(peer.run)));
    return `| ${[name, ...cells].join(" | ")} |`;
  };
  return [
    `## ${outcome.name}`,
    "",
    `Fulcrum: ${figures(outcome.own)}.`,
    "",
    `| controller | ${FACTORS.map((factor) => `× ${factor}`).join(" | ")} |`,
    `| --- | ${FACTORS.map(() => "--:").join(" | ")} |`,
    ...names.map(row),
  ];
}
