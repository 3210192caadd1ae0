import { readFile } from "node:fs/promises";
import type { AgentSettings } from "../../agent/config.ts";
import { parseTargets } from "../../agent/config-targets.ts";
import { readGpuPage } from "../../core/engines/gpu-page.ts";
import type { TargetsFile } from "../../core/targets.ts";
import { whyUnreadable } from "../files.ts";
import { discovered, kubelet } from "./discovered.ts";
import { engine } from "./engine.ts";
import { type CodedFinding, type Finding, bad, coded, good, warning } from "./finding.ts";
import { gpuReader } from "./gpu-reader.ts";
import { kvPath } from "./kv-path.ts";
import { leader, type LeaseOptions } from "./lease.ts";
import { scalerLink } from "./scaler-link.ts";
import { get, isFree } from "./web.ts";

/** Preflight of one node: everything the agent will need, in the order it needs it. */
export async function examine(
  settings: AgentSettings,
  nodeVersion: string,
  lease: LeaseOptions = { lease: "fulcrum-scaler" },
): Promise<readonly CodedFinding[]> {
  const file = await readTargets(settings);
  const found = await discovered(settings, file.targets);
  const listed = found.targets ?? file.targets ?? { engines: [], gpus: [] };
  const engines = await Promise.all(listed.engines.map(engine));
  const pages = await Promise.all(listed.gpus.map(gpus));
  return [
    ...coded("node-version", [runtime(nodeVersion)]),
    ...coded("targets", file.findings),
    ...coded("discovery", found.findings),
    ...coded("engine", engines.flat()),
    ...coded("gpu-page", pages),
    ...coded("gpu-reader", [await gpuReader(settings, listed.gpus.length)]),
    ...coded("kubelet", await kubelet(settings)),
    ...coded("rdma", await kvPath(settings)),
    ...coded("port", await ports(settings)),
    ...coded("scaler", await scaler(settings.scalerUrl)),
    ...coded("link", await scalerLink(settings)),
    ...coded("lease", await leader(settings, lease)),
  ];
}

/** package.json's engines field, as numbers. */
const OLDEST = [20, 19] as const;

export function runtime(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const enough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return enough ? good("Node", version) : bad("Node", version, `install ${OLDEST.join(".")} or newer`);
}

interface Targets {
  readonly findings: readonly Finding[];
  readonly targets: TargetsFile | undefined;
}

async function readTargets({ targets: file, node }: AgentSettings): Promise<Targets> {
  if (file === undefined) return { findings: [], targets: undefined };
  const what = `targets ${file}`;
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    return { findings: [bad(what, whyUnreadable(error), "give the file with --targets")], targets: undefined };
  }
  const parsed = parseTargets(text, node);
  if (!parsed.ok) return { findings: [bad(what, parsed.error, "mend the file")], targets: undefined };
  const { engines, gpus: pages } = parsed.value;
  const how = `${engines.length} engines, ${pages.length} GPU pages`;
  const nothing = engines.length + pages.length === 0;
  return {
    findings: [nothing ? warning(what, how, "name what to read on this node", "targets-empty") : good(what, how)],
    targets: parsed.value,
  };
}

async function gpus({ url }: { readonly url: string }): Promise<Finding> {
  const what = `GPUs ${url}`;
  const answer = await get(url);
  if ("problem" in answer) return bad(what, answer.problem, "check the address and that dcgm-exporter runs", "gpu-page-unreachable");
  const page = readGpuPage(answer.text);
  if (page.gpus.length === 0)
    return bad(what, `${page.samples} samples, none of a GPU`, "point it at a dcgm-exporter page", "gpu-page-empty");
  return good(what, `${page.gpus.length} GPUs`);
}

async function ports(settings: AgentSettings): Promise<readonly Finding[]> {
  const wanted = [
    ["metrics", "--port", settings.port],
    ["OTLP gRPC", "--otlp-grpc-port", settings.otlpGrpcPort],
    ["OTLP HTTP", "--otlp-http-port", settings.otlpHttpPort],
  ] as const;
  const findings = wanted.map(async ([what, flag, port]) => {
    if (port === "off" || port === 0) return good(what, port === "off" ? "off" : "any free port");
    const address = `${settings.host}:${port}`;
    if (await isFree(settings.host, port)) return good(what, `${address} is free`);
    return warning(what, `${address} is in use`, `fine when the agent runs already, else set ${flag}`, "port-in-use");
  });
  return Promise.all(findings);
}

/** Its health, and the policies it does not use as they stand. */
async function scaler(url: string): Promise<readonly Finding[]> {
  const at = (path: string): string => new URL(path, url.replace(/^ws/, "http")).href;
  const answer = await get(at("/healthz"));
  if ("problem" in answer) return [bad(`scaler ${url}`, answer.problem, "start the scaler or set --scaler-url", "scaler-unreachable")];
  const state = await get(at("/api/state"));
  return [good(`scaler ${url}`, "healthy"), ...("problem" in state ? [] : policyProblems(state.text))];
}

/** Empty where it does not tell: an older scaler, or another program. */
function policyProblems(state: string): readonly Finding[] {
  try {
    const { problems } = JSON.parse(state) as { problems?: unknown };
    const notes: readonly unknown[] = Array.isArray(problems) ? problems : [];
    return notes.flatMap((note) => {
      const { where, message } = (note ?? {}) as { where?: unknown; message?: unknown };
      return typeof where === "string" && typeof message === "string"
        ? [bad(`policy ${where}`, message, "mend the policy", "policy-not-in-use")]
        : [];
    });
  } catch {
    return [];
  }
}
