/** KV cache of one token over all layers, bf16: 2 · layers · KV heads · head size · 2 bytes. */
const KV_BYTES: readonly (readonly [RegExp, number])[] = [
  [/llama-?3.*\b8b/i, 131_072], // 32 · 8 · 128
  [/llama-?3.*\b70b/i, 327_680], // 80 · 8 · 128
  [/llama-?3.*\b405b/i, 516_096], // 126 · 8 · 128
  [/qwen-?3[-_]8b/i, 147_456], // 36 · 8 · 128
  [/qwen-?3[-_]32b/i, 262_144], // 64 · 8 · 128
];

export const knownKvBytes = (model: string): number | undefined => KV_BYTES.find(([name]) => name.test(model))?.[1];

export const kvBytesUnknown = (model: string | undefined): string =>
  `KV bytes per token of ${model === undefined ? "the model" : `"${model}"`} are not known; give them with --kv-bytes-per-token ` +
  `(2 · layers · KV heads · head size · bytes per number), or kvBytesPerToken in a profile file`;
