import type { AgentSettings } from "../../agent/config.ts";
import { type NvmlProbe, probeNvml } from "../../agent/gpu/probe.ts";
import { type Finding, bad, good, warning } from "./finding.ts";

const WHAT = "GPU reader";

const MENDS: Readonly<Record<string, string>> = {
  "no-koffi": "install Fulcrum with its optional dependencies, or read dcgm-exporter pages",
  "no-library": "bring the driver's library into the container (NVIDIA_DRIVER_CAPABILITIES=utility) or name it with --nvml-library",
  "no-driver": "see what nvidia-smi says on the node",
  "no-gpu": "let the container see the GPUs (NVIDIA_VISIBLE_DEVICES=all)",
};

/** Which reader the agent would use for this node's GPUs, and what it would miss. `pages` counts those of the targets file. */
export async function gpuReader(settings: AgentSettings, pages: number): Promise<Finding> {
  if (settings.gpuReader === "off") return good(WHAT, "off");
  if (settings.gpuReader === "dcgm-exporter") {
    const how = `dcgm-exporter (set), ${pages} pages`;
    return pages > 0 ? good(WHAT, how) : bad(WHAT, how, "name the page in the targets file or set --gpu-reader to auto");
  }
  return judge(await probeNvml(settings), settings.gpuReader === "nvml", pages);
}

function judge(probe: NvmlProbe, set: boolean, pages: number): Finding {
  if (probe.state === "unseen") {
    const why = "no NVIDIA driver is visible to this process";
    return pages > 0
      ? good(WHAT, `dcgm-exporter (automatic), ${pages} pages; ${why}`)
      : warning(WHAT, `none: ${why} and no dcgm-exporter page is named`, "fine on a node without GPUs, else see docs/gpu.md");
  }
  if (probe.state === "failed") {
    const mend = MENDS[probe.unusable ?? ""] ?? "see the driver's messages on the node (dmesg, nvidia-smi)";
    if (set) return bad(WHAT, `nvml (set): ${probe.error}`, mend);
    return warning(WHAT, `${pages > 0 ? `dcgm-exporter (automatic), ${pages} pages` : "none"}; nvml: ${probe.error}`, mend);
  }
  return judgeReading(probe.reading, set, pages);
}

function judgeReading({ driver, gpus, lost }: Extract<NvmlProbe, { state: "read" }>["reading"], set: boolean, pages: number): Finding {
  const whole = gpus.filter((gpu) => gpu.instance === undefined);
  const models = [...new Set(whole.map((gpu) => gpu.name))].map((name) => `${whole.filter((gpu) => gpu.name === name).length} × ${name}`);
  const split = whole.filter((gpu) => gpu.mig === true).length;
  const mig = split === 0 ? "" : `, ${split} split by MIG into ${gpus.length - whole.length} instances`;
  const seen = `driver ${driver}, ${models.join(", ") || "no readable GPU"}${mig}`;
  const counters = gpus.some((gpu) => gpu.gpm);
  if (!set && !counters && pages > 0) return good(WHAT, `dcgm-exporter (automatic), ${pages} pages; ${seen} without GPM counters`);
  const how = `nvml (${set ? "set" : "automatic"}): ${seen}${counters ? ", GPM counters" : ""}`;
  const problems = [...lost, ...gpus.flatMap((gpu) => gpu.problems)];
  if (problems.length > 0) return warning(WHAT, `${how}; ${problems.join("; ")}`, mendOf(problems));
  if (counters) return good(WHAT, how);
  return warning(
    WHAT,
    `${how}, no GPM counters (Hopper and later have them)`,
    "name a dcgm-exporter page for SM, tensor, DRAM and link rates",
  );
}

const mendOf = (problems: readonly string[]): string =>
  problems.some((problem) => problem.includes("no permission"))
    ? "run as root or with CAP_SYS_ADMIN, or load the driver with NVreg_RestrictProfilingToAdminUsers=0"
    : "see docs/gpu.md";
