import type { PoolReport } from "../../wire/messages.ts";
import { addTally, boundTallies, failuresAt, type LinkTallies, type LinkTally, mergeTallies, noTransfers, tallyOf } from "./link-tally.ts";
import { judgeLinks, type LinkStandings, type LinkVerdict, standLinks } from "./slow-links.ts";
import type { Stitched } from "./stitch.ts";

/** KV transfers of one policy by source and target node. No clock of its own. */
export interface LinkMatrix {
  add(request: Stitched): void;
  /** A pool of the policy as its node reports it. */
  report(node: string, pool: PoolReport): void;
  /** What the window that ends now held, once it is long enough; to be called with every report. */
  turn(now: number): LinkTallies | undefined;
  view(): LinkView;
}

export interface LinkView {
  /** Seconds that the tallies cover. */
  readonly seconds: number;
  readonly tallies: LinkTallies;
  readonly verdicts: ReadonlyMap<string, LinkVerdict>;
  readonly standings: LinkStandings;
  /** KV bytes per prompt token as the engines count both; undefined while none counts bytes. */
  readonly bytesPerToken: number | undefined;
}

/** Seconds of one window, and windows that are judged together. */
const WINDOW = 10;
const WINDOWS = 6;
/** Links of one window, and of all windows together: a fleet of 16 × 16 nodes. */
export const MAX_LINKS = 256;

export function createLinkMatrix(startedAt: number): LinkMatrix {
  let open = new Map<string, LinkTally>();
  let failed: { readonly end: "source" | "target"; readonly node: string; readonly failures: number }[] = [];
  let openedAt = startedAt;
  let windows: readonly { readonly seconds: number; readonly tallies: LinkTallies }[] = [];
  let standings: LinkStandings = new Map();
  let verdicts: ReadonlyMap<string, LinkVerdict> = new Map();
  let [bytes, tokens] = [0, 0];

  const sum = (): LinkTallies =>
    boundTallies(
      windows.reduce<LinkTallies>((all, { tallies }) => mergeTallies(all, tallies), new Map()),
      MAX_LINKS,
    );

  return {
    add(request) {
      const tally = tallyOf(request);
      // Twice the limit before folding: folding sorts, and most windows never come near.
      if (tally === undefined) return;
      open.set(tally.key, addTally(open.get(tally.key) ?? noTransfers, tally.tally));
      if (open.size > 2 * MAX_LINKS) open = new Map(boundTallies(open, MAX_LINKS));
    },
    report(node, { role, counters }) {
      const { kvTransferBytes = 0, promptTokens = 0, kvTransferFailures = 0 } = counters;
      // Sums over pools and nodes: one side counts the bytes (vLLM: decode), only prefill the prompts.
      bytes += kvTransferBytes;
      tokens += promptTokens;
      if (kvTransferFailures > 0) failed.push({ end: role === "decode" ? "target" : "source", node, failures: kvTransferFailures });
    },
    turn(now) {
      if (now - openedAt < WINDOW) return undefined;
      const all = failed.reduce<LinkTallies>((sofar, { end, node, failures }) => failuresAt(sofar, end, node, failures), open);
      const tallies = boundTallies(all, MAX_LINKS);
      windows = [...windows, { seconds: now - openedAt, tallies }].slice(-WINDOWS);
      open = new Map();
      failed = [];
      openedAt = now;
      verdicts = judgeLinks(sum());
      standings = standLinks(standings, verdicts, now);
      return tallies;
    },
    view: () => ({
      ...{ seconds: windows.reduce((total, window) => total + window.seconds, 0), tallies: sum(), verdicts, standings },
      bytesPerToken: bytes > 0 && tokens > 0 ? bytes / tokens : undefined,
    }),
  };
}
