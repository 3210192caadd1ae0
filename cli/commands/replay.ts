import { fulcrum } from "../../scaler/decide/controller.ts";
import { type Difference, replay as decideAgain } from "../../scaler/journal/replay.ts";
import type { Define } from "../define.ts";
import { EXIT } from "../exit.ts";
import { timeText } from "../explain/time.ts";
import { openJournal } from "../journal/open.ts";
import { print } from "../output.ts";

const EXAMPLES = `
Prints a line per difference: time, policy, what differs. Exit 1 when there is any.

Examples:
  fulcrum replay .run/demo-…/journal
  fulcrum replay journal/2026-11-25.jsonl --json`;

export const replay: Define = (command, run) => {
  command
    .argument("<journal>", "journal file, or folder of journal files")
    .option("--json", "print {entries, differences} as JSON", false)
    .addHelpText("after", EXAMPLES)
    .action((journal: string, options: { readonly json: boolean }) => run(() => compare(journal, options.json)));
};

async function compare(journal: string, json: boolean): Promise<number> {
  const replayed = decideAgain(await openJournal(journal), fulcrum);
  if (json) await print(JSON.stringify(replayed));
  else for (const difference of replayed.differences) await print(line(difference));
  const { entries, differences } = replayed;
  process.stderr.write(`${entries} decisions decided again, ${differences.length} ${differences.length === 1 ? "differs" : "differ"}\n`);
  return differences.length === 0 ? EXIT.good : EXIT.no;
}

const line = ({ at, name, what, message }: Difference): string => `${timeText(at)} ${name}: ${what}: ${message}`;
