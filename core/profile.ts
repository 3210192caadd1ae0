/** A profile file (JSON): what one replica of each role can do. Tables are measured; models are fitted to them. */
export interface Profile {
  readonly name: string;
  readonly gpu: string;
  readonly model: string;
  readonly gpusPerReplica: { readonly prefill: number; readonly decode: number };
  readonly kvBytesPerToken: number;
  readonly kvCapacityTokens: number;
  /** `tokens` per prompt, `batch` prompts in one pass. */
  readonly prefill: readonly { readonly tokens: number; readonly batch: number; readonly ms: number }[];
  readonly decode: readonly { readonly batch: number; readonly ctx: number; readonly ms: number }[];
  readonly transfer: { readonly latency: number; readonly bytesPerSecond: number };
}
