import type { NoticeCode } from "../../core/kv-path.ts";
import type { PageLink, PageLinks, PageNotice } from "../../wire/page.ts";
import { type FleetView, sortedNodes } from "../intake/fleet-view.ts";
import type { LinkView } from "../intake/link-matrix.ts";
import { linkOf, noTransfers } from "../intake/link-tally.ts";

/** Rows of the page's matrix, the busiest first; the rest is counted. */
const SHOWN = 32;
const MAX_NOTICES = 100;
/** A node that said nothing for longer does not tell how its path is now. */
const FRESH = 60;

export const pageLinks = (policy: string, view: LinkView): PageLinks => {
  const rows = [...view.tallies.keys()].map((key) => linkRow(key, view));
  rows.sort((a, b) => Number(b.slow) - Number(a.slow) || b.transfers - a.transfers || b.failures - a.failures);
  return { policy, seconds: view.seconds, links: rows.slice(0, SHOWN), others: Math.max(0, rows.length - SHOWN) };
};

/** What one link did in the time that the view covers. */
export function linkRow(key: string, { seconds, tallies, verdicts, standings, bytesPerToken }: LinkView): PageLink {
  const { source, target } = linkOf(key);
  const tally = tallies.get(key) ?? noTransfers;
  const bytes = bytesPerToken === undefined ? null : tally.tokens * bytesPerToken;
  return {
    source: source === "" ? null : source,
    target: target === "" ? null : target,
    transfers: tally.transfers,
    failures: tally.failures,
    meanSeconds: tally.transfers > 0 ? tally.seconds / tally.transfers : null,
    bytesPerSecond: bytes !== null && tally.transfers > 0 && seconds > 0 ? bytes / seconds : null,
    speed: bytes !== null && tally.seconds > 0 ? bytes / tally.seconds : null,
    slowness: verdicts.get(key)?.slowness ?? null,
    slow: standings.get(key)?.state === "raised",
  };
}

/** What the KV path suffers from now: as nodes say of themselves, and links that are slower than the others. */
export function noticesOf(fleet: FleetView, matrices: ReadonlyMap<string, LinkView>, now: number): readonly PageNotice[] {
  const notices: PageNotice[] = [];
  const note = (code: NoticeCode, subject: string, text: string, since: number): void => {
    if (notices.length < MAX_NOTICES) notices.push({ code, subject, text, since });
  };
  for (const { node, latest, receivedAt } of sortedNodes(fleet)) {
    if (latest?.kvPath === undefined || now - receivedAt > FRESH) continue;
    for (const { problem, raised, since, text } of latest.kvPath.problems) if (raised) note(problem, `node ${node}`, text ?? "", since);
  }
  for (const [policy, view] of matrices) {
    for (const [key, { state, since }] of view.standings) {
      if (state !== "raised") continue;
      const { source, target } = linkOf(key);
      const { slowness, meanSeconds } = linkRow(key, view);
      const by = slowness === null ? "no recent transfers to compare" : `${slowness.toFixed(1)} times slower than the median link`;
      const mean = meanSeconds === null ? "" : `, ${(meanSeconds * 1000).toPrecision(3)} ms a transfer`;
      note("kv-link-slow", `${source} → ${target}`, `${by} of ${policy}${mean}`, since);
    }
  }
  return notices;
}
