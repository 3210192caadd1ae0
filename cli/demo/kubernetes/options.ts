/** `fulcrum demo --kubernetes` as the command line gives it. */
export interface ClusterDemoOptions {
  readonly namespace: string;
  readonly image?: string;
  /** Seconds. */
  readonly duration?: number;
  /** Goes on without asking. */
  readonly yes: boolean;
  /** Leaves what it made. */
  readonly keep: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}
