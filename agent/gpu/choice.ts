import type { GpuReader } from "./reader.ts";
import type { ProcessReader } from "./process-reader.ts";

export const GPU_READERS = ["auto", "nvml", "dcgm", "dcgm-exporter", "off"] as const;
export type GpuReaderSetting = (typeof GPU_READERS)[number];

export interface GpuChoice {
  /** Whether dcgm-exporter pages are to be read. */
  wantsPages(): boolean;
  /** Whether NVML is to be read, given how many pages are. */
  wantsNvml(pages: number): boolean;
  /** Whether the host engine is to be read, given how many pages are. */
  wantsDcgm(pages: number): boolean;
  /** The readers whose figures go into the report, so that no GPU is reported twice. */
  readers(pages: readonly GpuReader[]): readonly GpuReader[];
}

export interface Candidates {
  readonly nvml: ProcessReader;
  readonly dcgm: ProcessReader;
  /** Whether a host engine was named. */
  readonly dcgmNamed: boolean;
  driverPresent(): boolean;
}

/**
 * Which reader speaks for this node's GPUs. Automatically it is NVML as soon as it has read counters that others would be needed for: its
 * figures are of this second (a stock exporter's are up to 30 s old), its XIDs are events, and it needs no daemon. Without a driver in sight, or
 * on GPUs before Hopper, which have no GPM counters, it is the host engine, if one was named and has such counters; else the pages; where no
 * page is named, whoever can be read. Once one of the first two has been chosen it stays chosen: going back and forth while it restarts would
 * count events twice.
 */
export function createGpuChoice(setting: GpuReaderSetting, { nvml, dcgm, dcgmNamed, driverPresent }: Candidates): GpuChoice {
  let chosen: ProcessReader | undefined = setting === "nvml" ? nvml : setting === "dcgm" ? dcgm : undefined;
  const auto = setting === "auto";
  const tried = (reader: ProcessReader): boolean => reader.health().state !== "unknown";
  const nvmlCannot = (): boolean => !driverPresent() || (tried(nvml) && !nvml.hasCounters());
  const decide = (): ProcessReader | undefined => {
    if (auto && chosen === undefined && nvml.hasCounters()) chosen = nvml;
    if (auto && chosen === undefined && dcgmNamed && nvmlCannot() && dcgm.hasCounters()) chosen = dcgm;
    return chosen;
  };
  /** It has shown that it knows less than the pages do. */
  const poorer = (reader: ProcessReader, pages: number): boolean => pages > 0 && reader.health().state === "up" && !reader.hasCounters();
  return {
    wantsPages: () => setting === "dcgm-exporter" || (auto && decide() === undefined),
    wantsNvml(pages) {
      const one = decide();
      return one === undefined ? auto && !poorer(nvml, pages) && driverPresent() : one === nvml;
    },
    wantsDcgm(pages) {
      const one = decide();
      return one === undefined ? auto && dcgmNamed && nvmlCannot() && !poorer(dcgm, pages) : one === dcgm;
    },
    readers(pages) {
      if (setting === "off") return [];
      if (setting === "dcgm-exporter") return pages;
      const one = decide();
      if (one !== undefined) return [one];
      if (pages.length > 0) return pages;
      const [best] = [nvml, dcgm].filter((reader) => reader.health().state === "up");
      const [any] = [nvml, dcgm].filter(tried);
      return best !== undefined ? [best] : any !== undefined ? [any] : [];
    },
  };
}
