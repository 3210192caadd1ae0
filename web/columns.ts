import type { PageFrame } from "../wire/page.ts";
import { firstAtOrAfter } from "./store.ts";

export type Pick = (frame: PageFrame) => number | null;
/** Times, then one column per line: the shape uPlot takes. */
export type Columns = [number[], ...(number | null)[][]];

/** The frames a chart shows, and its time range. */
export interface View {
  readonly frames: readonly PageFrame[];
  readonly from: number;
  readonly to: number;
  /** A longer silence than this breaks the lines. */
  readonly gapAfter: number;
}

/** A young history fills the width instead of hiding at the right edge, but never below this span. */
const SHORTEST = 60;

export function view(all: readonly PageFrame[], window: number, gapAfter: number): View {
  const last = all.at(-1)?.at ?? 0;
  const frames = all.slice(firstAtOrAfter(all, last - window));
  const first = frames[0]?.at ?? last;
  return { frames, from: Math.max(last - window, Math.min(first, last - SHORTEST)), to: last, gapAfter };
}

export function columns(shown: View, picks: readonly Pick[]): Columns {
  const times: number[] = [];
  const lines = picks.map((): (number | null)[] => []);
  let before: number | undefined;
  for (const frame of shown.frames) {
    if (before !== undefined && frame.at - before > shown.gapAfter) {
      times.push((before + frame.at) / 2);
      for (const line of lines) line.push(null);
    }
    times.push(frame.at);
    picks.forEach((pick, i) => lines[i]?.push(finite(pick(frame))));
    before = frame.at;
  }
  return [times, ...lines];
}

const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);
