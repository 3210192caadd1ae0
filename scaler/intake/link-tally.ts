import type { Stitched } from "./stitch.ts";

/** What is known of the transfers from one node to another over some time: everything that adds. */
export interface LinkTally {
  /** Of stitched requests whose transfer was timed. */
  readonly transfers: number;
  readonly seconds: number;
  readonly tokens: number;
  /** As engines count them; only one of the two ends counts. */
  readonly failures: number;
}

/** By link. An end that is not known is empty: engines count failures on one side and do not say where the other was. */
export type LinkTallies = ReadonlyMap<string, LinkTally>;

/** Links over the limit, as one. */
export const OTHER_LINKS = "other";

// Node names cannot hold a space.
export const linkKey = (source: string, target: string): string => `${source} ${target}`;

export function linkOf(key: string): { readonly source: string; readonly target: string } {
  const [source = "", target = ""] = key.split(" ");
  return { source, target };
}

export const noTransfers: LinkTally = { transfers: 0, seconds: 0, tokens: 0, failures: 0 };

export const addTally = (a: LinkTally, b: LinkTally): LinkTally => ({
  transfers: a.transfers + b.transfers,
  seconds: a.seconds + b.seconds,
  tokens: a.tokens + b.tokens,
  failures: a.failures + b.failures,
});

/** Associative and commutative: exact on counts, floating point on seconds. */
export function mergeTallies(a: LinkTallies, b: LinkTallies): LinkTallies {
  const merged = new Map(a);
  for (const [key, tally] of b) merged.set(key, addTally(merged.get(key) ?? noTransfers, tally));
  return merged;
}

/** At most `limit` links: those with the most transfers (the first by name of equals), the rest summed up as one more. Nothing is lost. */
export function boundTallies(tallies: LinkTallies, limit: number): LinkTallies {
  const rest = linkKey(OTHER_LINKS, OTHER_LINKS);
  const named = [...tallies].filter(([key]) => key !== rest);
  if (named.length <= limit) return tallies;
  named.sort(([a, x], [b, y]) => y.transfers - x.transfers || y.failures - x.failures || (a < b ? -1 : 1));
  const folded = named.slice(limit).reduce((sum, [, tally]) => addTally(sum, tally), tallies.get(rest) ?? noTransfers);
  return new Map([...named.slice(0, limit), [rest, folded]]);
}

/** One stitched request; undefined when its transfer or its length was not measured. */
export function tallyOf(request: Stitched): { readonly key: string; readonly tally: LinkTally } | undefined {
  const { sourceNode, targetNode, transfer, promptTokens } = request;
  if (transfer === undefined || promptTokens === undefined || !(transfer >= 0)) return undefined;
  return { key: linkKey(sourceNode, targetNode), tally: { transfers: 1, seconds: transfer, tokens: promptTokens, failures: 0 } };
}

/**
 * Failures are counted by the engines of one node. Where that node had one partner in the same time the link is known, else its other end stays empty.
 */
export function failuresAt(tallies: LinkTallies, end: "source" | "target", node: string, failures: number): LinkTallies {
  if (!(failures > 0)) return tallies;
  const links = [...tallies.keys()].filter((key) => linkOf(key)[end] === node && tallies.get(key)?.transfers !== 0);
  const unknown = end === "source" ? linkKey(node, "") : linkKey("", node);
  const key = links.length === 1 ? (links[0] ?? unknown) : unknown;
  return mergeTallies(tallies, new Map([[key, { ...noTransfers, failures }]]));
}
