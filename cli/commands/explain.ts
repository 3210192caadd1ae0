import type { JournalRecord, TickRecord } from "../../scaler/journal/records.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import type { Define } from "../define.ts";
import { EXIT, badInput } from "../exit.ts";
import { believedAt } from "../explain/believed.ts";
import { explanation } from "../explain/text.ts";
import { parseTime, timeText } from "../explain/time.ts";
import { openJournal } from "../journal/open.ts";
import { print } from "../output.ts";

const EXAMPLES = `
TIME: Unix seconds, 2026-11-25T14:02:00Z, 14:02 (UTC, its last occurrence), 90s (since the journal's start), or last.

Examples:
  fulcrum explain .run/demo-…/journal --at 2m30s
  fulcrum explain journal/2026-11-25.jsonl --at 14:02 --policy serving/llama-8b`;

interface Options {
  readonly at: string;
  readonly policy?: string;
  readonly json: boolean;
}

export const explain: Define = (command, run) => {
  command
    .argument("<journal>", "journal file, or folder of journal files")
    .option("--at <time>", "the decision at or before this time; one that is much older is told on stderr", "last")
    .option("--policy <name>", "of this policy (NAMESPACE/NAME), when the journal has several")
    .option("--json", "print the journal's own records", false)
    .addHelpText("after", EXAMPLES)
    .action((journal: string, options: Options) => run(() => tell(journal, options)));
};

async function tell(journal: string, options: Options): Promise<number> {
  const records = await openJournal(journal);
  const ticks = ticksOf(records, options.policy);
  const span = { first: ticks[0].at, last: ticks.reduce((latest, tick) => Math.max(latest, tick.at), -Infinity) };
  const at = parseTime(options.at, span);
  if (at === undefined) throw badInput(`--at: no time: "${options.at}"; write for example 2026-11-25T14:02:00Z, 14:02, 90s or last`);
  const chosen = ticks.filter((tick) => tick.at <= at);
  if (chosen.length === 0) throw badInput(`--at: the journal begins at ${timeText(span.first)}, after ${timeText(at)}`);
  // Every policy's decision that was in force at that moment.
  const inForce = [...new Map(chosen.map((tick) => [tick.name, tick])).values()];
  for (const [index, tick] of inForce.entries()) {
    noteGap(tick, policyOf(records, tick), at, span.last);
    if (options.json) await print(JSON.stringify(tick));
    else await print(`${index > 0 ? "\n" : ""}${explanation(tick, policyOf(records, tick), believedAt(records, tick))}`);
  }
  return EXIT.good;
}

/** A decision older than this many intervals was in force because nobody decided since. */
const STALE_INTERVALS = 3;

/** On stderr, where the decision shown is not of the moment that was asked for. */
function noteGap(tick: TickRecord, policy: Policy, at: number, last: number): void {
  const age = at - tick.at;
  if (age <= STALE_INTERVALS * policy.spec.behavior.interval) return;
  const why = at > last ? `the journal ends at ${timeText(last)}` : "nothing was decided between";
  process.stderr.write(
    `${tick.name}: no decision at ${timeText(at)}: ${why}; below is its last one, ${age.toFixed(0)} s older (${timeText(tick.at)})\n`,
  );
}

function ticksOf(records: readonly JournalRecord[], name: string | undefined): readonly [TickRecord, ...TickRecord[]] {
  const all = records.filter((record) => record.kind === "tick");
  const [first, ...rest] = all.filter((tick) => name === undefined || tick.name === name || tick.name.endsWith(`/${name}`));
  if (first !== undefined) return [first, ...rest];
  const names = [...new Set(all.map((tick) => tick.name))].join(", ");
  throw badInput(`--policy: no decision of "${name}"; the journal has ${names}`);
}

/** The policy as it was when the decision was taken: the last start before it. */
function policyOf(records: readonly JournalRecord[], tick: TickRecord): Policy {
  const starts = records.slice(0, records.indexOf(tick)).filter((record) => record.kind === "start" && record.name === tick.name);
  const start = starts.at(-1);
  if (start?.kind !== "start") throw badInput(`the journal holds no start record of ${tick.name} before ${timeText(tick.at)}`);
  return start.policy;
}
