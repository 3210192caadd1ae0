import { agentSettingsSchema } from "../../agent/config.ts";
import type { Define } from "../define.ts";
import { examine } from "../doctor/checks.ts";
import { line } from "../doctor/finding.ts";
import { EXIT } from "../exit.ts";
import { print } from "../output.ts";
import { addSettingFlags, settingsOf } from "../settings.ts";

const EXAMPLES = `
Takes the agent's settings and prints a line per thing the agent needs: ok, warn or FAIL, with the mend. Exit 1 when one fails.

Examples:
  fulcrum doctor --config agent.yaml
  fulcrum doctor --node node-a --targets targets-node-a.json`;

export const doctor: Define = (command, run) => {
  addSettingFlags(command, agentSettingsSchema);
  command.addHelpText("after", EXAMPLES).action((options: Readonly<Record<string, unknown>>) => run(() => examineNode(options)));
};

async function examineNode(options: Readonly<Record<string, unknown>>): Promise<number> {
  const findings = await examine(await settingsOf(agentSettingsSchema, options), process.version);
  for (const finding of findings) await print(line(finding));
  return findings.some((finding) => finding.standing === "bad") ? EXIT.no : EXIT.good;
}
