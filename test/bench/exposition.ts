import parsePrometheusTextFormat from "parse-prometheus-text-format";
import { createEnginePage } from "../../core/engines/page.ts";
import { parsePage } from "../../core/exposition/parse.ts";
import { perCpuSecond } from "./cpu.ts";
import { vllmPage } from "./vllm-page.ts";

export interface ExpositionFigures {
  readonly pageMegabytes: number;
  readonly samples: number;
  /** As a scraper reads: the same page again, with the series cache. */
  readonly steadyMBps: number;
  readonly firstReadMBps: number;
  readonly fullParseMBps: number;
  readonly otherParserMBps: number;
  /** Steady ÷ other parser. */
  readonly ratio: number;
}

/**
 * Megabytes per CPU second of reading a vLLM page of about 1 MB, beside parse-prometheus-text-format in the same run (which, on this page, also
 * loses all label sets of a histogram but one).
 */
export function measureExposition(rounds: number): ExpositionFigures {
  const page = vllmPage(20);
  const megabytes = Buffer.byteLength(page) / 1e6;
  const steady = createEnginePage("vllm", "decode");
  // Each round gets its own string, as a scraper does: nothing may be cached on the page itself.
  const speed = (read: (text: string) => unknown, n: number): number =>
    perCpuSecond(megabytes, n, () => Buffer.from(page).toString("latin1"), read);
  const { samples } = steady.read(page);
  const steadyMBps = speed((text) => steady.read(text), rounds);
  const few = Math.max(3, Math.round(rounds / 3));
  const otherParserMBps = speed((text) => parsePrometheusTextFormat(text), few);
  return {
    ...{ pageMegabytes: megabytes, samples, steadyMBps },
    firstReadMBps: speed((text) => createEnginePage("vllm", "decode").read(text), few),
    fullParseMBps: speed((text) => parsePage(text), few),
    ...{ otherParserMBps, ratio: steadyMBps / otherParserMBps },
  };
}
