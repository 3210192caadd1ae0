import type { Profile } from "../../core/profile.ts";

/** What a user says of measurements that do not say it themselves. */
export interface Given {
  readonly model?: string;
  readonly gpu?: string;
  readonly gpus?: Profile["gpusPerReplica"];
  readonly kvBytesPerToken?: number;
  readonly kvCapacityTokens?: number;
}

/** A profile, and in a sentence each what was assumed or left out on the way. */
export interface Imported {
  readonly profile: Profile;
  readonly notes: readonly string[];
}

export const LINK_NOTE = "nothing in these files says how fast KV moves: one 400 Gb/s NIC is assumed (transfer, in the profile)";
