import { fitProfile } from "../../core/profile-fit.ts";
import { loadProfile } from "../../sim/profiles/read.ts";
import type { Define } from "../define.ts";
import { EXIT, badInput } from "../exit.ts";
import { print } from "../output.ts";

const EXAMPLES = `
Example:
  fulcrum profile import dynamo-sweep.json > profile.json`;

export const profile: Define = (command, run) => {
  command.addHelpText("after", EXAMPLES);
  command
    .command("import")
    .description("latency tables (Dynamo's JSON, or our own form) → a profile file on stdout")
    .argument("<file>", "measured latencies")
    .addHelpText("after", EXAMPLES)
    .action((file: string) => run(() => convert(file)));
};

async function convert(file: string): Promise<number> {
  const loaded = await loadProfile(file);
  if (!loaded.ok) throw badInput(...loaded.error);
  const { error } = fitProfile(loaded.value);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  process.stderr.write(
    `${loaded.value.name}: ${loaded.value.prefill.length} prefill and ${loaded.value.decode.length} decode points; ` +
      `the models fitted to them err by ${percent(error.prefill)} and ${percent(error.decode)} on average\n`,
  );
  await print(JSON.stringify(loaded.value, null, 2));
  return EXIT.good;
}
