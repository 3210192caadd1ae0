import { InvalidArgumentError, Option } from "commander";
import type { ClusterDemoOptions } from "../demo/kubernetes/options.ts";
import type { DemoOptions } from "../demo/options.ts";
import type { Define } from "../define.ts";
import { badInput } from "../exit.ts";
import { interrupted } from "../interrupt.ts";
import { duration, port, positive, positiveDuration, seed } from "../options.ts";

const EXAMPLES = `
Examples:
  fulcrum demo
  fulcrum demo --trace azure_llm_2023_conv.csv --rate 8 --duration 4m --json
  fulcrum demo --engine sglang --policy policies/demo.yaml --port 9100
  fulcrum demo --kubernetes --image YOUR-REGISTRY/fulcrum:0.1.0
  fulcrum demo --kubernetes --dry-run`;

const ON_KUBERNETES = ["kubernetes", "namespace", "image", "yes", "keep", "dryRun", "duration", "json"];
const ONLY_THERE = ["namespace", "image", "yes", "keep", "dryRun"];
/** DNS label, as Kubernetes names namespaces. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The demo listens on this port for the page and on a few dozen above it for its parts. */
const HIGHEST_PORT = 65_000;

export const demo: Define = (command, run) => {
  command
    .option("--trace <file>", "replay this trace instead of the built-in five minutes (Mooncake, Azure, BurstGPT, plain; .gz accepted)")
    .option("--rate <n>", "multiply arrivals; the clock stays real", positive, 1)
    .option("--from <time>", "where in the trace to begin", duration, 0)
    .option("--duration <time>", "how much of the trace to play", positiveDuration)
    .option("--policy <file>", "scaling policy to run with")
    .option("--profile <file>", "what one replica can do; the default is one H200 with an 8B model")
    .addOption(new Option("--engine <kind>", "whose metrics and spans the engines speak").choices(["vllm", "sglang"]).default("vllm"))
    .option("--port <n>", "port of the live page; the parts listen on the ports above it", demoPort, 8900)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--seed <n>", "seed of everything that is random", seed, 1)
    .option("--no-spans", "engines send no spans: latencies come from their own histograms")
    .option("--run-dir <folder>", "where logs, journal and settings go; the default is a new folder in .run")
    .option("--json", "print one summary object on stdout at the end; progress goes to stderr", false)
    .option(
      "--kubernetes",
      "simulated engines as pods in the cluster of KUBECONFIG's current context, with Fulcrum scaling them; needs kubectl",
    )
    .option("--namespace <name>", "with --kubernetes: the namespace to make, and to remove", namespace, "fulcrum-demo")
    .option("--image <image>", "with --kubernetes: Fulcrum's image, as the nodes pull it; the default is that of deploy/demo")
    .option("--yes", "with --kubernetes: do not ask", false)
    .option("--keep", "with --kubernetes: leave what was made", false)
    .option("--dry-run", "with --kubernetes: print the manifests and do nothing", false)
    .addHelpText("after", EXAMPLES)
    .action((options: DemoOptions & ClusterDemoOptions & { readonly kubernetes?: boolean }) =>
      run(async () => {
        const onKubernetes = options.kubernetes === true;
        const given = command.options.map((o) => o.attributeName()).filter((name) => command.getOptionValueSource(name) === "cli");
        const misplaced = given.filter((name) => (onKubernetes ? !ON_KUBERNETES.includes(name) : ONLY_THERE.includes(name)));
        if (misplaced.length > 0) {
          const flags = command.options.filter((o) => misplaced.includes(o.attributeName())).map((o) => o.long);
          throw badInput(`${flags.join(", ")}: ${onKubernetes ? "not with --kubernetes" : "only with --kubernetes"}`);
        }
        if (onKubernetes) {
          const { runClusterDemo } = await import("../demo/kubernetes/run.ts");
          return runClusterDemo(options, interrupted());
        }
        const { runDemo } = await import("../demo/demo.ts");
        return runDemo(options, interrupted());
      }),
    );
};

function namespace(text: string): string {
  if (!NAMESPACE.test(text)) throw new InvalidArgumentError("Write a DNS label, for example fulcrum-demo.");
  return text;
}

function demoPort(text: string): number {
  const value = port(text);
  if (value > HIGHEST_PORT) throw new InvalidArgumentError(`Write a port up to ${HIGHEST_PORT}: the parts need room above it.`);
  return value;
}
