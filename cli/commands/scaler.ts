import { scalerSettingsSchema } from "../../scaler/config.ts";
import type { Define } from "../define.ts";
import { EXIT } from "../exit.ts";
import { interrupted } from "../interrupt.ts";
import { addSettingFlags, settingsOf } from "../settings.ts";

const EXAMPLES = `
Examples:
  fulcrum scaler --config scaler.yaml
  fulcrum scaler --config scaler.yaml --port 8901 --log-level debug`;

export const scaler: Define = (command, run) => {
  addSettingFlags(command, scalerSettingsSchema);
  command.addHelpText("after", EXAMPLES).action((options: Readonly<Record<string, unknown>>) => run(() => start(options)));
};

async function start(options: Readonly<Record<string, unknown>>): Promise<number> {
  const settings = await settingsOf(scalerSettingsSchema, options);
  const [{ runScaler }, { createLog }] = await Promise.all([import("../../scaler/main.ts"), import("../../agent/log.ts")]);
  await runScaler(settings, interrupted(), createLog("scaler", settings.logLevel));
  return EXIT.good;
}
