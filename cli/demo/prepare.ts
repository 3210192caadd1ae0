import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { formatProblem } from "../../scaler/policy/problem.ts";
import { doubtful } from "../../scaler/policy/doubtful.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { showPolicy } from "../../scaler/policy/show.ts";
import type { Profile } from "../../core/profile.ts";
import { defaultProfile } from "../../sim/profiles/load.ts";
import { toPrior } from "../../scaler/policy/profile.ts";
import { loadProfile } from "../../sim/profiles/read.ts";
import { warmStart, type Split } from "../../sim/backtest/setup.ts";
import { builtinTrace } from "../../sim/traces/builtin.ts";
import { multiplyRate, windowTrace } from "../../sim/traces/rate.ts";
import { readTrace } from "../../sim/traces/read.ts";
import type { Trace } from "../../sim/traces/trace.types.ts";
import { DemoInputError, type DemoOptions } from "./options.ts";
import type { DemoPorts } from "./ports.ts";

/** Two simulated nodes, as the smallest fleet in which KV crosses a network. */
export const NODES = ["node-a", "node-b"] as const;

/** Files and facts every process of the demo starts from. */
export interface Prepared {
  readonly runDir: string;
  readonly policy: Policy;
  readonly notes: readonly string[];
  readonly files: { readonly fleet: string; readonly scaler: string; readonly agents: readonly string[]; readonly journal: string };
}

export async function prepare(options: DemoOptions, ports: DemoPorts, runDir: string): Promise<Prepared> {
  const { policy, notes } = await demoPolicy(options);
  const profile = await demoProfile(options);
  const initial = await opening(options, policy, profile);
  await mkdir(join(runDir, "journal"), { recursive: true });
  const write = async (name: string, value: unknown): Promise<string> => {
    const file = join(runDir, name);
    await writeFile(file, typeof value === "string" ? value : `${JSON.stringify(value, null, 2)}\n`);
    return file;
  };
  const policyFile = await write("policy.yaml", showPolicy(policy));
  const profileFile = await write("profile.json", profile);
  const priorFile = await write("prior.json", toPrior(profile));
  const fleet = await write("fleet.json", fleetSettings({ o: options, ports, policy, runDir, profile: profileFile, initial }));
  const agents = await Promise.all(
    NODES.map((node, i) =>
      write(`agent-${node}.json`, {
        node,
        targets: join(runDir, `targets-${node}.json`),
        scalerUrl: `ws://${options.host}:${ports.page}/agents`,
        host: options.host,
        // The fleet's GPUs are simulated; those of this machine are not part of it.
        gpuReader: "dcgm-exporter",
        port: ports.agents[i]?.metrics,
        otlpGrpcPort: ports.agents[i]?.grpc,
        otlpHttpPort: ports.agents[i]?.http,
      }),
    ),
  );
  const journal = join(runDir, "journal");
  const scaler = await write("scaler.json", {
    host: options.host,
    port: ports.page,
    policies: policyFile,
    journal,
    fleetUrl: `http://${options.host}:${ports.fleet}`,
    prior: priorFile,
  });
  return { runDir, policy, notes, files: { fleet, scaler, agents, journal } };
}

/** The demo's own policy file, beside the bundle or the sources. */
const ownPolicy = (): string => {
  const here = fileURLToPath(import.meta.url);
  const root = here.includes("/dist/") ? here.slice(0, here.lastIndexOf("/dist/")) : resolve(here, "../../..");
  return join(root, "policies", "demo.yaml");
};

/**
 * The policy under test with its targets pointed at the simulated pools. A policy written for a cluster names
 * Deployments and usually observes; here its numbers are what is tried, so it acts.
 */
async function demoPolicy(options: DemoOptions): Promise<{ policy: Policy; notes: string[] }> {
  const file = options.policy ?? ownPolicy();
  const text = await readInput(file, "policy");
  const parsed = parsePolicies(text, file);
  if (!parsed.ok) throw new DemoInputError(parsed.error.map(formatProblem).join("\n"));
  const [first, ...rest] = parsed.value;
  if (first === undefined) throw new DemoInputError(`${file}: holds no policy; write one ScalingPolicy document (see policies/demo.yaml)`);
  const notes: string[] = [];
  if (rest.length > 0) notes.push(`${file} holds ${rest.length + 1} policies; the demo uses the first, ${first.metadata.name}`);
  if (first.spec.mode !== "enforce")
    notes.push(`policy ${first.metadata.name} is in ${first.spec.mode} mode; on the simulated fleet it acts`);
  notes.push(...doubtful(first).map((doubt) => `warning: policy ${first.metadata.name}: ${doubt}`));
  const { prefill, decode } = first.spec.pools;
  const target = (name: string) => ({ apiVersion: "fulcrum.dev/v1alpha1", kind: "FleetPool", name });
  const pools = { prefill: { ...prefill, target: target("prefill") }, decode: { ...decode, target: target("decode") } };
  const metadata = { ...first.metadata, namespace: "demo" };
  return { policy: { ...first, metadata, spec: { ...first.spec, mode: "enforce", pools } }, notes };
}

async function demoProfile(options: DemoOptions): Promise<Profile> {
  if (options.profile === undefined) return defaultProfile;
  await readInput(options.profile, "profile");
  const loaded = await loadProfile(options.profile);
  if (!loaded.ok) throw new DemoInputError(loaded.error.join("\n"));
  return loaded.value;
}

/** Replicas for the trace's first minute: the demo shows how the balance moves, not how an empty fleet fills. */
async function opening(options: DemoOptions, policy: Policy, profile: Profile): Promise<Split> {
  const { from, duration, rate, seed } = options;
  const whole = options.trace === undefined ? builtinTrace(seed) : await demoTrace(options.trace);
  const trace = multiplyRate(windowTrace(whole, from, duration === undefined ? Infinity : from + duration), rate, seed);
  if (trace.requests.length === 0) {
    throw new DemoInputError(
      `${trace.name}: no request from ${from} s${duration === undefined ? "" : ` for ${duration} s`}; it is ${Math.round(whole.seconds)} s long`,
    );
  }
  return warmStart({ policy, prior: toPrior(profile), trace, seed, faults: [] });
}

async function demoTrace(file: string): Promise<Trace> {
  const trace = await readTrace(file, {});
  if (!trace.ok) throw new DemoInputError(trace.error.join("\n"));
  return trace.value;
}

async function readInput(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    throw new DemoInputError(`${file}: cannot read the ${what} (${code === "ENOENT" ? "no such file" : (code ?? String(e))})`);
  }
}

function fleetSettings(f: {
  readonly o: DemoOptions;
  readonly ports: DemoPorts;
  readonly policy: Policy;
  readonly runDir: string;
  readonly profile: string;
  readonly initial: Split;
}): unknown {
  const { o, ports, policy, runDir, profile, initial } = f;
  const { prefill, decode } = policy.spec.pools;
  const gpus =
    policy.spec.budget.gpus ?? (prefill.replicas.max ?? 4) * prefill.gpusPerReplica + (decode.replicas.max ?? 4) * decode.gpusPerReplica;
  return {
    host: o.host,
    port: ports.fleet,
    runDir,
    nodes: NODES.map((name, i) => ({
      name,
      gpus: Math.ceil((gpus - i) / NODES.length),
      otlp: { grpc: `http://${o.host}:${ports.agents[i]?.grpc}`, http: `http://${o.host}:${ports.agents[i]?.http}` },
    })),
    namespace: "demo",
    model: policy.spec.model ?? "llama-3.1-8b",
    engine: o.engine,
    workload: o.trace === undefined ? { kind: "builtin" } : { kind: "trace", path: resolve(o.trace) },
    rate: o.rate,
    from: o.from,
    ...(o.duration === undefined ? {} : { duration: o.duration }),
    seed: o.seed,
    profile,
    leadTime: Math.max(prefill.leadTime, decode.leadTime),
    startDelay: 3,
    initial,
    limits: { maxBatchedTokens: 8192, maxNumSeqs: 256 },
    spans: o.spans,
  };
}
