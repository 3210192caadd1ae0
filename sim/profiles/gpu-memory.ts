/** Installed memory, bytes (vendor's data sheets). */
const MEMORY: readonly (readonly [RegExp, number])[] = [
  [/H200/i, 141e9],
  [/H100/i, 80e9],
  [/B200/i, 192e9],
  [/A100.*80/i, 80e9],
];

export const gpuMemory = (gpu: string): number | undefined => MEMORY.find(([name]) => name.test(gpu))?.[1];

/** vLLM's default gpu_memory_utilization. */
export const MEMORY_UTILIZATION = 0.9;
