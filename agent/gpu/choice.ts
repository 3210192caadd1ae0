import type { GpuReader } from "./reader.ts";
import type { NvmlReader } from "./nvml-reader.ts";

export const GPU_READERS = ["auto", "nvml", "dcgm-exporter", "off"] as const;
export type GpuReaderSetting = (typeof GPU_READERS)[number];

export interface GpuChoice {
  /** Whether dcgm-exporter pages are to be read. */
  wantsPages(): boolean;
  /** Whether NVML is to be read, given how many pages are. */
  wantsNvml(pages: number): boolean;
  /** The readers whose figures go into the report, so that no GPU is reported twice. */
  readers(pages: readonly GpuReader[]): readonly GpuReader[];
}

/**
 * Which reader speaks for this node's GPUs. Automatically it is NVML as soon as it has read counters that pages would otherwise be needed for:
 * its figures are of this second (a stock exporter's are up to 30 s old) and its XIDs are events. Without a driver, or on GPUs before Hopper,
 * which have no GPM counters, it is the pages; where no page is named, NVML in any case. Once NVML has been chosen it stays chosen: going back
 * and forth while it restarts would count events twice.
 */
export function createGpuChoice(setting: GpuReaderSetting, nvml: NvmlReader, driverPresent: () => boolean): GpuChoice {
  let chosen = setting === "nvml";
  const decide = (): boolean => (chosen ||= setting === "auto" && nvml.hasGpm());
  return {
    wantsPages: () => setting === "dcgm-exporter" || (setting === "auto" && !decide()),
    wantsNvml(pages) {
      if (setting !== "auto" || chosen) return chosen;
      // It has shown that it knows less than the pages do.
      const poorer = pages > 0 && nvml.health().state === "up" && !nvml.hasGpm();
      return !poorer && driverPresent();
    },
    readers(pages) {
      if (setting === "off") return [];
      if (setting === "dcgm-exporter") return pages;
      if (decide()) return [nvml];
      return pages.length > 0 || nvml.health().state === "unknown" ? pages : [nvml];
    },
  };
}
