import { agentSettingsSchema } from "../../agent/config.ts";
import type { Define } from "../define.ts";
import { EXIT } from "../exit.ts";
import { interrupted } from "../interrupt.ts";
import { addSettingFlags, settingsOf } from "../settings.ts";

const EXAMPLES = `
Examples:
  fulcrum agent --config agent.yaml
  fulcrum agent --node node-a --targets targets-node-a.json --scaler-url ws://127.0.0.1:8900/agents`;

export const agent: Define = (command, run) => {
  addSettingFlags(command, agentSettingsSchema);
  command.addHelpText("after", EXAMPLES).action((options: Readonly<Record<string, unknown>>) => run(() => start(options)));
};

async function start(options: Readonly<Record<string, unknown>>): Promise<number> {
  const settings = await settingsOf(agentSettingsSchema, options);
  const [{ runAgent }, { createLog }] = await Promise.all([import("../../agent/main.ts"), import("../../agent/log.ts")]);
  await runAgent(settings, interrupted(), createLog("agent", settings.logLevel));
  return EXIT.good;
}
