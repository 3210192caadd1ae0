import { parseFleetSettings } from "../../fleet/config.ts";
import type { Define } from "../define.ts";
import { EXIT, badInput } from "../exit.ts";
import { readInput } from "../files.ts";
import { interrupted } from "../interrupt.ts";
import { parseFile } from "../settings.ts";

const EXAMPLES = `
Example:
  fulcrum fleet --config fleet.json`;

export const fleet: Define = (command, run) => {
  command
    .requiredOption("--config <file>", "fleet settings (JSON or YAML)")
    .addHelpText("after", EXAMPLES)
    .action((options: { readonly config: string }) => run(() => start(options.config)));
};

async function start(config: string): Promise<number> {
  const settings = parseFleetSettings(await parseFile(config, await readInput(config)));
  if (!settings.ok) throw badInput(`${config}: ${settings.error.message}`);
  const { runFleet } = await import("../../fleet/main.ts");
  await runFleet(settings.value, interrupted());
  return EXIT.good;
}
