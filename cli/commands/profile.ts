import { InvalidArgumentError, Option } from "commander";
import { fitProfile } from "../../core/profile-fit.ts";
import type { Profile } from "../../core/profile.ts";
import { SOURCES, importProfile, type Source } from "../../sim/profiles/import.ts";
import { inflate, readSources } from "../../sim/profiles/read.ts";
import type { Define } from "../define.ts";
import { EXIT, badInput } from "../exit.ts";
import { count, positive } from "../options.ts";
import { print } from "../output.ts";

const EXAMPLES = `
Examples:
  fulcrum profile import measured.json > profile.json
  fulcrum profile import profiling_results/ --model nvidia/Llama-3.1-8B-Instruct-FP8 --gpu "H200 SXM" > profile.json
  fulcrum profile import aic-isl512/ aic-isl2048/ aic-isl8192/ > profile.json`;

/** A model that is off by more than this on average is told. */
const POOR_FIT = 0.1;

interface Flags {
  readonly from?: Source;
  readonly model?: string;
  readonly gpu?: string;
  readonly gpus?: Profile["gpusPerReplica"];
  readonly kvBytesPerToken?: number;
  readonly kvCapacityTokens?: number;
}

export const profile: Define = (command, run) => {
  command.addHelpText("after", EXAMPLES);
  command
    .command("import")
    .description("latencies measured by Dynamo's profiler or estimated by AIConfigurator, or our own tables → a profile file on stdout")
    .argument("<files...>", "files, or folders of results")
    .addOption(new Option("--from <source>", "what the files are; otherwise they are recognised").choices(SOURCES))
    .option("--model <name>", "the model, where the files do not say it")
    .option("--gpu <name>", "the GPU, where the files do not say it")
    .option("--gpus <p/d>", "GPUs of a prefill and a decode replica, for example 2/4; one number for both", gpusPerReplica)
    .option("--kv-bytes-per-token <n>", "KV cache of one token: 2 · layers · KV heads · head size · bytes per number", positive)
    .option("--kv-capacity-tokens <n>", "tokens of KV that fit into one decode replica", positive)
    .addHelpText("after", EXAMPLES)
    .action((files: readonly string[], flags: Flags) => run(() => convert(files, flags)));
};

async function convert(paths: readonly string[], { from, ...given }: Flags): Promise<number> {
  const files = await readSources(paths);
  if (!files.ok) throw badInput(...files.error);
  const imported = importProfile(files.value, { ...(from === undefined ? {} : { from }), given, inflate });
  if (!imported.ok) throw badInput(...imported.error);
  process.stderr.write([...imported.value.notes, ...fitReport(imported.value.profile)].map((line) => `${line}\n`).join(""));
  await print(JSON.stringify(imported.value.profile, null, 2));
  return EXIT.good;
}

function fitReport(made: Profile): string[] {
  const { error } = fitProfile(made);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const poor = (["prefill", "decode"] as const).filter((role) => error[role] > POOR_FIT);
  return [
    `${made.name}: ${made.prefill.length} prefill and ${made.decode.length} decode points; ` +
      `the models fitted to them err by ${percent(error.prefill)} and ${percent(error.decode)} on average`,
    ...poor.map(
      (role) =>
        `warning: no ${role} model of this form describes these ${role} points within ${percent(POOR_FIT)} (it errs by ${percent(error[role])}); ` +
        "points of different set-ups among them, or too few?",
    ),
  ];
}

function gpusPerReplica(text: string): Profile["gpusPerReplica"] {
  const [prefill, decode, more] = text.split("/");
  if (prefill === undefined || more !== undefined)
    throw new InvalidArgumentError("Write GPUs of prefill and decode, for example 2/4, or one number.");
  return { prefill: count(prefill), decode: count(decode ?? prefill) };
}
