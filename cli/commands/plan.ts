import type { Define } from "../define.ts";
import { EXIT } from "../exit.ts";
import { print } from "../output.ts";
import { readLines } from "../plan/lines.ts";
import { createPlanSession } from "../plan/session.ts";

const HELP = `
The co-simulation door: one JSON object per line on stdin, one answer per line on stdout, flushed at once.
  → {"type":"hello","policy":{…},"profile":{…}}      ← {"type":"ready"}
  → {"type":"observation","at":120,"pools":{…}}      ← {"type":"decision","at":120,"pools":{…},"reasons":[…]}
A bad line is answered by {"type":"error","line":7,"code":"…","message":"…"} and the stream goes on.
Every field but type, at and pools may be missing: missing is absent, not zero. docs/plan.md has them all.

Example:
  my-simulator | fulcrum plan | my-simulator --decisions`;

export const plan: Define = (command, run) => {
  command.addHelpText("after", HELP).action(() => run(converse));
};

async function converse(): Promise<number> {
  const session = createPlanSession();
  for await (const { number, text } of readLines(process.stdin)) await print(JSON.stringify(session.answer(number, text)));
  if (session.greeted) return EXIT.good;
  process.stderr.write(`no hello came in: the first line must be {"type":"hello","policy":{…}}; see fulcrum plan --help\n`);
  return EXIT.usage;
}
