import { Option } from "commander";
import type { Define } from "../define.ts";
import { collect, count, duration, list, positiveDuration, seed, share } from "../options.ts";
import type { TopologyOptions } from "../topology.ts";

const EXAMPLES = `
Every candidate gets the same GPUs and the same traffic; goodput is the highest rate at which the objectives still hold.

Examples:
  fulcrum topology --trace azure_llm_2023_conv.csv --to 10m --gpus 8 --ttft 500ms --itl 30ms
  fulcrum topology --shape 3000/150 --gpus 16 --ttft 1s --itl 20ms --profile tp2.json --profile tp4.json --json`;

export const topology: Define = (command, run) => {
  command
    .option("--trace <file>", "recorded traffic; its rate is varied, its lengths and bursts stay")
    .option("--shape <prompt/answer>", "instead of a trace: Poisson arrivals of equal requests, tokens each")
    .option("--profile <file>", "what one replica can do, and on how many GPUs; may be given more than once", collect, [])
    .requiredOption("--gpus <n>", "GPUs to serve with", count)
    .requiredOption("--ttft <time>", "objective for the first token", positiveDuration)
    .option("--itl <time>", "objective for a request's mean inter-token latency", positiveDuration)
    .option("--attain <share>", "share of requests that must meet the objectives", share, 0.9)
    .option("--chunks <tokens>", "token budgets per step to try for aggregated serving", list, ["512", "2048", "8192"])
    .addOption(
      new Option("--mixed-step <how>", "cost of a step that computes prompts and decodes: sum of both, or the weights read once")
        .choices(["sum", "shared"])
        .default("sum"),
    )
    .option("--link <GB/s>", "link of one prefill replica, instead of the profile's")
    .option("--from <time>", "where in the trace to begin", duration)
    .option("--to <time>", "where in the trace to end", positiveDuration)
    .option("--seed <n>", "seed of everything that is random", seed, 1)
    .option("--skip-bad", "count bad rows of the trace and go on", false)
    .option("--json", "print the result as JSON on stdout", false)
    .addHelpText("after", EXAMPLES)
    .action((options: TopologyOptions) =>
      run(async () => {
        const { runTopology } = await import("../topology.ts");
        return runTopology(options);
      }),
    );
};
