import type { Policy } from "./schema.ts";

/** A good policy, and where it stands: a file's path, or what messages call the object. */
export interface Candidate {
  readonly origin: string;
  readonly policy: Policy;
}

export interface Settled {
  readonly inUse: readonly Policy[];
  /** Why a candidate is not in use; all that are about one thing are told, and none of them is acted on. */
  readonly conflicts: ReadonlyMap<Candidate, string>;
}

/**
 * Which policies of several sources run together. Two of one name, or two for one pool, would scale against each other: neither
 * runs, as a HorizontalPodAutoscaler does with pods that two of them select. Which came first is not asked, since two scalers would
 * answer differently.
 */
export function settle(candidates: readonly Candidate[]): Settled {
  const claims = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    for (const claim of claimsOf(candidate.policy)) {
      const others = claims.get(claim);
      if (others === undefined) claims.set(claim, [candidate]);
      else if (!others.includes(candidate)) others.push(candidate);
    }
  }
  const conflicts = new Map<Candidate, string>();
  for (const [claim, claimants] of claims) {
    if (claimants.length < 2) continue;
    for (const candidate of claimants) {
      if (conflicts.has(candidate)) continue;
      const others = claimants.filter((c) => c !== candidate).slice(0, 3);
      conflicts.set(candidate, `${claim} is also in ${others.map(called).join(" and ")}; none of them is acted on: remove all but one`);
    }
  }
  const inUse = candidates.filter((candidate) => !conflicts.has(candidate)).map(({ policy }) => policy);
  return { inUse, conflicts };
}

const called = ({ origin, policy: { metadata } }: Candidate): string =>
  origin.endsWith(`${metadata.namespace}/${metadata.name}`) ? origin : `${origin} (${metadata.namespace}/${metadata.name})`;

/** What only one policy may have, in words. The version of a kind is left out: it is the same workload in each. */
function claimsOf({ metadata, spec }: Policy): readonly string[] {
  const pools = [spec.pools.prefill.target, spec.pools.decode.target].flatMap((target) => {
    if (target === undefined) return [];
    const group = target.apiVersion.includes("/") ? `.${target.apiVersion.split("/", 1)[0] ?? ""}` : "";
    const component = target.component === undefined ? "" : ` component ${target.component}`;
    return [`${target.kind}${group} ${metadata.namespace}/${target.name}${component}`];
  });
  return [`policy ${metadata.namespace}/${metadata.name}`, ...pools];
}
