import type { AgentSettings } from "../../agent/config.ts";
import { type ReaderProbe, probeDcgm, probeNvml } from "../../agent/gpu/probe.ts";
import { type Finding, bad, good, warning } from "./finding.ts";

const WHAT = "GPU reader";

type Reader = "nvml" | "dcgm";

const MENDS: Readonly<Record<string, string>> = {
  "no-koffi": "install Fulcrum with its optional dependencies, or read dcgm-exporter pages",
  "nvml no-library": "bring the driver's library into the container (NVIDIA_DRIVER_CAPABILITIES=utility) or name it with --nvml-library",
  "dcgm no-library": "bring libdcgm.so.4 of the host engine's release to the agent or name it with --dcgm-library",
  "no-driver": "see what nvidia-smi says on the node",
  "no-gpu": "let the container see the GPUs (NVIDIA_VISIBLE_DEVICES=all)",
  "no-host-engine": "start nv-hostengine on the node, or name where it listens with --dcgm-host",
  version: "use the libdcgm of the host engine's own release (--dcgm-library)",
};

const COUNTERS = { nvml: "GPM", dcgm: "profiling" } as const;

/** Which reader the agent would use for this node's GPUs, and what it would miss. `pages` counts those of the targets file. */
export async function gpuReader(settings: AgentSettings, pages: number): Promise<Finding> {
  const { gpuReader: setting } = settings;
  if (setting === "off") return good(WHAT, "off");
  if (setting === "dcgm-exporter") {
    const how = `dcgm-exporter (set), ${pages} pages`;
    return pages > 0 ? good(WHAT, how) : bad(WHAT, how, "name the page in the targets file or set --gpu-reader to auto");
  }
  if (setting === "nvml") return judgeSet("nvml", await probeNvml(settings));
  if (setting === "dcgm") return judgeSet("dcgm", await probeDcgm(settings));
  const nvml = await probeNvml(settings);
  const counted = withCounters(nvml);
  if (counted !== undefined) return judgeReading("nvml", counted, "automatic");
  return judgeRest(nvml, await probeDcgm(settings), pages);
}

function judgeSet(reader: Reader, probe: ReaderProbe): Finding {
  if (probe.state === "read") return judgeReading(reader, probe.reading, "set");
  return bad(WHAT, `${reader} (set): ${whyNot(probe)}`, mendOfProbe(reader, probe));
}

/** Automatically, and NVML has no counters here: the host engine if one was named and has some, else pages, else who can be read. */
function judgeRest(nvml: ReaderProbe, dcgm: ReaderProbe, pages: number): Finding {
  const counted = withCounters(dcgm);
  if (counted !== undefined) return judgeReading("dcgm", counted, "automatic", `; nvml: ${whyNot(nvml)}`);
  const also = dcgm.state === "unseen" ? "" : `; dcgm: ${whyNot(dcgm)}`;
  const exporter = `dcgm-exporter (automatic), ${pages} pages`;
  if (nvml.state === "read") {
    if (pages === 0) return judgeReading("nvml", nvml.reading, "automatic", also);
    const how = `${exporter}; ${seenBy(nvml.reading)} without GPM counters${also}`;
    return dcgm.state === "failed" ? warning(WHAT, how, mendOfProbe("dcgm", dcgm)) : good(WHAT, how);
  }
  if (dcgm.state === "read") {
    if (pages === 0) return judgeReading("dcgm", dcgm.reading, "automatic", `; nvml: ${whyNot(nvml)}`);
    return good(WHAT, `${exporter}; nvml: ${whyNot(nvml)}${also}`);
  }
  if (dcgm.state === "failed" || nvml.state === "failed") {
    const why = nvml.state === "failed" ? `; nvml: ${nvml.error}` : "";
    const mend = dcgm.state === "failed" ? mendOfProbe("dcgm", dcgm) : mendOfProbe("nvml", nvml);
    return warning(WHAT, `${pages > 0 ? exporter : "none"}${why}${also}`, mend);
  }
  const why = "no NVIDIA driver is visible to this process";
  return pages > 0
    ? good(WHAT, `${exporter}; ${why}`)
    : warning(WHAT, `none: ${why} and no dcgm-exporter page is named`, "fine on a node without GPUs, else see docs/gpu.md");
}

type Read = Extract<ReaderProbe, { state: "read" }>;

const withCounters = (probe: ReaderProbe): Read["reading"] | undefined =>
  probe.state === "read" && probe.reading.gpus.some((gpu) => gpu.gpm) ? probe.reading : undefined;

function whyNot(probe: ReaderProbe): string {
  if (probe.state === "failed") return probe.error;
  if (probe.state === "unseen") return "no driver is visible to this process";
  return [...probe.reading.gpus.flatMap((gpu) => gpu.problems), ...probe.reading.lost].join("; ") || "no counters";
}

function mendOfProbe(reader: Reader, probe: ReaderProbe): string {
  const code = probe.state === "failed" ? (probe.unusable ?? "") : "";
  return MENDS[code] ?? MENDS[`${reader} ${code}`] ?? "see the driver's messages on the node (dmesg, nvidia-smi)";
}

function seenBy({ driver, gpus }: Read["reading"]): string {
  const whole = gpus.filter((gpu) => gpu.instance === undefined);
  const models = [...new Set(whole.map((gpu) => gpu.name))].map((name) => `${whole.filter((gpu) => gpu.name === name).length} × ${name}`);
  const split = whole.filter((gpu) => gpu.mig === true).length;
  const mig = split === 0 ? "" : `, ${split} split by MIG into ${gpus.length - whole.length} instances`;
  return `driver ${driver}, ${models.join(", ") || "no readable GPU"}${mig}`;
}

function judgeReading(reader: Reader, reading: Read["reading"], chosen: "set" | "automatic", also = ""): Finding {
  const { gpus, lost } = reading;
  const counters = gpus.some((gpu) => gpu.gpm);
  const how = `${reader} (${chosen}): ${seenBy(reading)}${counters ? `, ${COUNTERS[reader]} counters` : ""}`;
  const problems = [...lost, ...gpus.flatMap((gpu) => gpu.problems)];
  if (problems.length > 0) return warning(WHAT, `${how}; ${problems.join("; ")}${also}`, mendOf(problems));
  if (counters) return good(WHAT, `${how}${also}`);
  return warning(
    WHAT,
    `${how}, no ${COUNTERS[reader]} counters (Hopper and later have them)${also}`,
    "name a dcgm-exporter page for SM, tensor, DRAM and link rates",
  );
}

const mendOf = (problems: readonly string[]): string =>
  problems.some((problem) => problem.includes("no permission"))
    ? "run as root or with CAP_SYS_ADMIN, or load the driver with NVreg_RestrictProfilingToAdminUsers=0"
    : "see docs/gpu.md";
