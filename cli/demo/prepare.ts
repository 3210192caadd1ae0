import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { formatProblem } from "../../scaler/policy/problem.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { showPolicy } from "../../scaler/policy/show.ts";
import type { Profile } from "../../core/profile.ts";
import { defaultProfile, toPrior } from "../../sim/profiles/load.ts";
import { loadProfile } from "../../sim/profiles/read.ts";
import { readTrace } from "../../sim/traces/read.ts";
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
  if (options.trace !== undefined) await checkTrace(options.trace);
  await mkdir(join(runDir, "journal"), { recursive: true });
  const write = async (name: string, value: unknown): Promise<string> => {
    const file = join(runDir, name);
    await writeFile(file, typeof value === "string" ? value : `${JSON.stringify(value, null, 2)}\n`);
    return file;
  };
  const policyFile = await write("policy.yaml", showPolicy(policy));
  const profileFile = await write("profile.json", profile);
  const priorFile = await write("prior.json", toPrior(profile));
  const fleet = await write("fleet.json", fleetSettings(options, ports, policy, runDir, profileFile));
  const agents = await Promise.all(
    NODES.map((node, i) =>
      write(`agent-${node}.json`, {
        node,
        targets: join(runDir, `targets-${node}.json`),
        scalerUrl: `ws://${options.host}:${ports.page}/agents`,
        host: options.host,
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

async function checkTrace(file: string): Promise<void> {
  const trace = await readTrace(file, {});
  if (!trace.ok) throw new DemoInputError(trace.error.join("\n"));
  if (trace.value.requests.length === 0) throw new DemoInputError(`${file}: holds no request`);
}

async function readInput(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    throw new DemoInputError(`${file}: cannot read the ${what} (${code === "ENOENT" ? "no such file" : (code ?? String(e))})`);
  }
}

function fleetSettings(o: DemoOptions, ports: DemoPorts, policy: Policy, runDir: string, profile: string): unknown {
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
    startDelay: 4,
    initial: { prefill: prefill.replicas.min, decode: decode.replicas.min },
    limits: { maxBatchedTokens: 8192, maxNumSeqs: 256 },
    spans: o.spans,
  };
}
