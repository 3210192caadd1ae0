import { agentSettingsSchema } from "../../agent/config.ts";
import type { Define } from "../define.ts";
import { examine } from "../doctor/checks.ts";
import { failed, line, toJson } from "../doctor/finding.ts";
import { EXIT } from "../exit.ts";
import { print } from "../output.ts";
import { addSettingFlags, settingsOf } from "../settings.ts";

const EXAMPLES = `
Takes the agent's settings and prints a line per thing the agent needs: ok, warn or FAIL, with the mend. Exit 1 when one fails.

Examples:
  fulcrum doctor --config agent.yaml
  fulcrum doctor --node node-a --targets targets-node-a.json
  fulcrum doctor --config agent.yaml --json | jq '.findings[] | select(.severity != "ok")'`;

export const doctor: Define = (command, run) => {
  addSettingFlags(command, agentSettingsSchema);
  command
    .option("--json", "print one object on stdout: findings with code, severity, subject, text and mend", false)
    .addHelpText("after", EXAMPLES)
    .action((options: DoctorFlags) => run(() => examineNode(options)));
};

type DoctorFlags = Readonly<Record<string, unknown>> & { readonly json: boolean };

async function examineNode({ json, ...settings }: DoctorFlags): Promise<number> {
  const resolved = await settingsOf(agentSettingsSchema, settings);
  const findings = await examine(resolved, process.version);
  if (json) await print(toJson(resolved.node, findings));
  else for (const finding of findings) await print(line(finding));
  return failed(findings) ? EXIT.no : EXIT.good;
}
