import { createGpuPage } from "../../core/engines/gpu-page.ts";
import type { GpuReader } from "../gpu/reader.ts";
import { type GpuState, drainedGpu, observeGpu } from "../summarize/gpus.ts";
import type { ScrapeContext } from "./engine-scraper.ts";
import { type Health, down, unknown, up } from "./health.ts";
import { monotonicSeconds } from "./schedule.ts";

/** One dcgm-exporter page. A GPU that leaves the page is forgotten; while the page is down its figures are absent, not old. */
export function createGpuScraper(url: string, context: ScrapeContext): GpuReader {
  const page = createGpuPage();
  let states = new Map<string, GpuState>();
  let health: Health = unknown;
  return {
    target: url,
    async scrape() {
      const start = monotonicSeconds();
      const result = await context.fetcher.fetch(url);
      const duration = monotonicSeconds() - start;
      const at = context.now();
      context.scraped("gpu", duration, result.ok ? result.value.bytes : 0);
      if (!result.ok) {
        context.failed("gpu");
        health = down(health, at, duration, result.error);
        return;
      }
      const { gpus, problems, problemCount } = page.read(result.value.text);
      context.unreadable("gpu", problemCount);
      // MIG instances share their parent's UUID, so the index belongs to the key.
      states = new Map(gpus.map((gpu) => [`${gpu.uuid}/${gpu.gpu}`, observeGpu(states.get(`${gpu.uuid}/${gpu.gpu}`), gpu, at)]));
      const [problem] = problems;
      health =
        gpus.length === 0
          ? down(health, at, duration, "the page lists no GPU")
          : up(at, duration, problem && `${problemCount} unreadable parts; line ${problem.line}: ${problem.message}`);
    },
    health: () => health,
    take() {
      if (health.state !== "up") return [];
      const taken = [...states.values()];
      states = new Map([...states].map(([key, state]) => [key, drainedGpu(state)]));
      return taken;
    },
  };
}
