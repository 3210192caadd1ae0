/** Bounds on one page. Beyond them the page is refused or cut with a problem that says so, never silently. */
export interface PageLimits {
  /** UTF-16 units of text. */
  readonly size: number;
  /** Sample lines. */
  readonly samples: number;
  /** Labels of one series. */
  readonly labels: number;
}

/** 28 data-parallel vLLM ranks make a page of about 1 MB and 9 300 samples; these leave a factor of ten and more. */
export const DEFAULT_LIMITS: PageLimits = { size: 16 * 1024 * 1024, samples: 100_000, labels: 128 };

/** The text format of Prometheus (0.0.4) or OpenMetrics; "auto" believes a `# EOF` line. */
export type PageFormat = "prometheus" | "openmetrics" | "auto";

/** From an HTTP Content-Type. */
export function formatOf(contentType: string | undefined): PageFormat {
  if (contentType === undefined) return "auto";
  if (contentType.includes("openmetrics")) return "openmetrics";
  return contentType.includes("text/plain") ? "prometheus" : "auto";
}
