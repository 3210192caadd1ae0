import type { BacktestOptions } from "../backtest.ts";
import { Option } from "commander";
import type { Define } from "../define.ts";
import { collect, duration, list, localPrefill, positive, positiveDuration, seed, share } from "../options.ts";

const EXAMPLES = `
Controllers: fulcrum, static (best fixed plan in hindsight), and the baselines that --controllers lists when it is given a wrong name.

Examples:
  fulcrum backtest --policy policies/llama-8b.yaml --trace azure_llm_2023_conv.csv --rate 8
  fulcrum backtest --policy policies/llama-8b.yaml --trace mooncake_conversation.jsonl.gz --controllers fulcrum,static --json
  fulcrum backtest --policy policies/llama-8b.yaml --trace day.csv --from 1h --to 2h --fail-under attainment=0.99`;

export const backtest: Define = (command, run) => {
  command
    .requiredOption("--policy <file>", "scaling policy to try")
    .requiredOption("--trace <file>", "recorded traffic (Mooncake JSONL, Azure or BurstGPT CSV, plain CSV or JSONL; .gz accepted)")
    .option("--rate <n>", "multiply arrivals by replicating requests with jitter; time is never compressed", positive, 1)
    .option("--from <time>", "where in the trace to begin", duration)
    .option("--to <time>", "where in the trace to end", positiveDuration)
    .option("--profile <file>", "what one replica can do; the default is one H200 with an 8B model")
    .option("--slow <x>", "multiply the profile's latencies", positive, 1)
    .option("--lead-time <time>", "time from a decision to a ready replica, instead of the policy's", duration)
    .option(
      "--local-prefill <chunk/queue>",
      "decode computes prompts, so many tokens a step, when so many are queued at prefill",
      localPrefill,
    )
    .option("--controllers <names>", "comma-separated controllers to run", list)
    .option("--fault <NAME=…>", "inject a fault (replica-crash, metrics-loss, link-slow, …); may be given more than once", collect, [])
    .option("--report-delay <time>", "time from an agent's report to the scaler; the default is 1500ms", duration)
    .option("--report-loss <share>", "share of agents' reports that never arrive", share)
    .addOption(new Option("--ttft-from <who>", "who measures TTFT").choices(["router", "spans"]).default("router"))
    .option("--seed <n>", "seed of everything that is random", seed, 1)
    .option("--skip-bad", "count bad rows of the trace and go on", false)
    .option("--json", "print the result as JSON on stdout", false)
    .option("--html <file>", "write a report page")
    .option("--fail-under <figures>", "exit 1 when fulcrum stays below, for example attainment=0.99", list, [])
    .addHelpText("after", EXAMPLES)
    .action((options: BacktestFlags) =>
      run(async () => {
        const { runBacktest } = await import("../backtest.ts");
        const { fault, ...rest } = options;
        return runBacktest({ ...rest, faults: fault });
      }),
    );
};

/** As on the command line, where `--fault` may be given more than once. */
type BacktestFlags = Omit<BacktestOptions, "faults"> & { readonly fault: readonly string[] };
