/** Tokens per prefix block (Mooncake traces; vLLM's 16-token blocks are finer, which only rounds hits up). */
export const BLOCK_TOKENS = 512;

/** One replica's prefix cache: least recently used blocks leave first. A Map keeps insertion order. */
export class PrefixCache {
  private readonly blocks = new Map<number, true>();
  private readonly capacity: number;

  constructor(capacityTokens: number) {
    this.capacity = Math.max(1, Math.floor(capacityTokens / BLOCK_TOKENS));
  }

  /** Tokens of the longest cached prefix; at least one prompt token is always computed. */
  hit(hashIds: readonly number[] | undefined, promptTokens: number): number {
    if (hashIds === undefined || this.blocks.size === 0) return 0;
    let matched = 0;
    while (matched < hashIds.length && this.blocks.has(hashIds[matched] as number)) matched += 1;
    return Math.max(0, Math.min(matched * BLOCK_TOKENS, promptTokens - 1));
  }

  /** Stores or refreshes a prompt's blocks. The tail goes in first so that a prefix outlives what follows it. */
  store(hashIds: readonly number[] | undefined): void {
    if (hashIds === undefined) return;
    for (let index = hashIds.length - 1; index >= 0; index -= 1) {
      const id = hashIds[index] as number;
      this.blocks.delete(id);
      this.blocks.set(id, true);
    }
    while (this.blocks.size > this.capacity) {
      const oldest = this.blocks.keys().next();
      if (oldest.done === true) return;
      this.blocks.delete(oldest.value);
    }
  }
}
