import { MAX_WATTS } from "./gpu-activity.ts";
import type { GpuDevice } from "./gpu-devices.ts";

type Text = (device: GpuDevice) => string;

interface Field {
  readonly name: string;
  readonly kind: "gauge" | "counter";
  readonly help: string;
  readonly text: Text;
}

const integer =
  (value: (device: GpuDevice) => number): Text =>
  (device) =>
    String(Math.round(value(device)));
const decimal =
  (value: (device: GpuDevice) => number): Text =>
  (device) =>
    value(device).toFixed(6);
const zero: Text = () => "0";

const gauge = (name: string, help: string, text: Text): Field => ({ name, kind: "gauge", help, text });
const counter = (name: string, help: string, text: Text): Field => ({ name, kind: "counter", help, text });

/** NVIDIA H200: 143,771 MiB; an engine takes 92 % of it when it starts and keeps it. */
const MEMORY_MIB = 143_771;
const RESERVED_MIB = 760;
const ENGINE_MIB = Math.round(MEMORY_MIB * 0.92);
const used = (device: GpuDevice): number => (device.tenant === undefined ? 0 : ENGINE_MIB);

/** NVML's utilization counts any kernel at all: it says 99 for a batch of one (measured; it must steer nothing). */
const utilization = (device: GpuDevice): number => (device.reading.busy > 0 ? 99 : 0);

/** Bits of the clock event reasons: an idle GPU says so, a working one says nothing or that its power limit holds it down. */
const IDLE_BIT = 0x1;
const POWER_CAP_BIT = 0x4;
const clockEvents = ({ reading }: GpuDevice): number => {
  if (reading.busy === 0) return IDLE_BIT;
  return reading.watts >= MAX_WATTS ? POWER_CAP_BIT : 0;
};

/**
 * dcgm-exporter's default fields in its order, then those that an operator must enable (SM_ACTIVE, NVLink
 * rates, ECC, clock event reasons). PCIe and NVLink values are rates in B/s, NVLINK_BANDWIDTH_TOTAL is MB/s although it is declared a counter.
 */
const FIELDS: readonly Field[] = [
  gauge("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", (device) => (device.reading.busy > 0 ? "1980" : "345")),
  gauge("DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", () => "3201"),
  gauge(
    "DCGM_FI_DEV_MEMORY_TEMP",
    "Memory temperature (in C).",
    integer((device) => device.celsius + 8),
  ),
  gauge(
    "DCGM_FI_DEV_GPU_TEMP",
    "GPU temperature (in C).",
    integer((device) => device.celsius),
  ),
  gauge(
    "DCGM_FI_DEV_POWER_USAGE",
    "Power draw (in W).",
    decimal((device) => device.reading.watts),
  ),
  counter(
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "Total energy consumption since boot (in mJ).",
    integer((device) => device.energyMillijoules),
  ),
  counter("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", zero),
  gauge("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", integer(utilization)),
  gauge(
    "DCGM_FI_DEV_MEM_COPY_UTIL",
    "Memory utilization (in %).",
    integer((device) => device.reading.dram * 100),
  ),
  gauge("DCGM_FI_DEV_ENC_UTIL", "Encoder utilization (in %).", zero),
  gauge("DCGM_FI_DEV_DEC_UTIL", "Decoder utilization (in %).", zero),
  gauge("DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered.", zero),
  gauge(
    "DCGM_FI_DEV_FB_FREE",
    "Framebuffer memory free (in MiB).",
    integer((device) => MEMORY_MIB - RESERVED_MIB - used(device)),
  ),
  gauge("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", integer(used)),
  gauge("DCGM_FI_DEV_FB_RESERVED", "Framebuffer memory reserved (in MiB).", () => String(RESERVED_MIB)),
  counter("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for uncorrectable errors", zero),
  counter("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for correctable errors", zero),
  gauge("DCGM_FI_DEV_ROW_REMAP_FAILURE", "Whether remapping of rows has failed", zero),
  counter(
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    "Total number of NVLink bandwidth counters for all lanes.",
    integer(({ reading }) => (reading.nvlinkReceive + reading.nvlinkTransmit) / 1e6),
  ),
  gauge("DCGM_FI_DEV_VGPU_LICENSE_STATUS", "vGPU License status", zero),
  gauge(
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "Ratio of time the graphics engine is active.",
    decimal(({ reading }) => reading.busy),
  ),
  gauge(
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "Ratio of cycles the tensor (HMMA) pipe is active.",
    decimal(({ reading }) => reading.tensor),
  ),
  gauge(
    "DCGM_FI_PROF_DRAM_ACTIVE",
    "Ratio of cycles the device memory interface is active sending or receiving data.",
    decimal(({ reading }) => reading.dram),
  ),
  gauge(
    "DCGM_FI_PROF_PCIE_TX_BYTES",
    "The rate of data transmitted over the PCIe bus - including both protocol headers and data payloads - in bytes per second.",
    integer(({ reading }) => reading.pcieTransmit),
  ),
  gauge(
    "DCGM_FI_PROF_PCIE_RX_BYTES",
    "The rate of data received over the PCIe bus - including both protocol headers and data payloads - in bytes per second.",
    integer(({ reading }) => reading.pcieReceive),
  ),
  gauge(
    "DCGM_FI_PROF_SM_ACTIVE",
    "The ratio of cycles an SM has at least 1 warp assigned.",
    decimal(({ reading }) => reading.sm),
  ),
  gauge(
    "DCGM_FI_PROF_NVLINK_TX_BYTES",
    "The rate of data transmitted over NVLink, in bytes per second.",
    integer(({ reading }) => reading.nvlinkTransmit),
  ),
  gauge(
    "DCGM_FI_PROF_NVLINK_RX_BYTES",
    "The rate of data received over NVLink, in bytes per second.",
    integer(({ reading }) => reading.nvlinkReceive),
  ),
  counter("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "Total number of single-bit volatile ECC errors.", zero),
  counter("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Total number of double-bit volatile ECC errors.", zero),
  counter("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "Total number of single-bit persistent ECC errors.", zero),
  counter("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "Total number of double-bit persistent ECC errors.", zero),
  gauge("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "Current clock throttle reasons (bitmask).", integer(clockEvents)),
];

const DRIVER = "580.159.04";

/** A dcgm-exporter page (4.x text format) of one node; idle GPUs have no pod labels. */
export function renderDcgmPage(devices: readonly GpuDevice[], namespace: string): string {
  const labels = devices.map((device) => labelsOf(device, namespace));
  return FIELDS.map(({ name, kind, help, text }) => {
    const lines = devices.map((device, i) => `${name}{${labels[i] ?? ""}} ${text(device)}\n`);
    return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join("")}`;
  }).join("");
}

function labelsOf({ index, uuid, node, tenant }: GpuDevice, namespace: string): string {
  const bus = `00000000:${(0x18 + index * 8).toString(16).toUpperCase().padStart(2, "0")}:00.0`;
  const device = `gpu="${index}",UUID="${uuid}",pci_bus_id="${bus}",device="nvidia${index}",modelName="NVIDIA H200"`;
  const host = `,Hostname="${node}",DCGM_FI_DRIVER_VERSION="${DRIVER}"`;
  const pod = tenant === undefined ? "" : `,container="engine",namespace="${namespace}",pod="${tenant.pod}"`;
  return device + host + pod;
}
