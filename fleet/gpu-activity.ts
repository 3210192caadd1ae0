/**
 * What a GPU's counters say under prefill and decode work. Origin: one NVIDIA H200 (driver 580.159.04, NVML
 * GPM, November 2026) running a Llama-3.1-8B-shaped decoder in bf16; shares of time, medians over 0.4–0.6 s.
 */
export interface Activity {
  readonly sm: number;
  readonly tensor: number;
  readonly dram: number;
}

type Row = readonly [key: number, sm: number, tensor: number, dram: number];

/** By tokens in the pass. Packed prompts of the same sum lie within 2 points of these. */
const PREFILL: readonly Row[] = [
  [64, 0.573, 0.129, 0.454],
  [128, 0.779, 0.232, 0.41],
  [256, 0.803, 0.453, 0.399],
  [512, 0.847, 0.558, 0.289],
  [1024, 0.906, 0.636, 0.227],
  [2048, 0.939, 0.676, 0.223],
  [4096, 0.955, 0.689, 0.22],
  [8192, 0.964, 0.701, 0.198],
  [16384, 0.976, 0.711, 0.174],
  [32768, 0.986, 0.722, 0.146],
];

/** By sequences in the batch, at three context lengths. */
const DECODE: readonly { readonly context: number; readonly rows: readonly Row[] }[] = [
  {
    context: 512,
    rows: [
      [1, 0.514, 0.021, 0.525],
      [8, 0.547, 0.029, 0.507],
      [16, 0.581, 0.057, 0.51],
      [32, 0.591, 0.105, 0.505],
      [64, 0.648, 0.196, 0.528],
      [128, 0.829, 0.316, 0.511],
      [256, 0.843, 0.527, 0.525],
    ],
  },
  {
    context: 2048,
    rows: [
      [1, 0.467, 0.023, 0.479],
      [8, 0.545, 0.057, 0.518],
      [16, 0.624, 0.11, 0.559],
      [32, 0.681, 0.195, 0.599],
      [64, 0.752, 0.317, 0.658],
      [128, 0.875, 0.456, 0.654],
      [256, 0.901, 0.628, 0.674],
    ],
  },
  {
    context: 8192,
    rows: [
      [1, 0.361, 0.028, 0.381],
      [8, 0.53, 0.134, 0.535],
      [16, 0.7072, 0.2516, 0.666],
      [32, 0.781, 0.382, 0.736],
      [64, 0.864, 0.556, 0.784],
    ],
  },
];

export const prefillActivity = (tokens: number): Activity => interpolate(PREFILL, tokens);

/** Between the two nearest measured contexts; outside the table its edge. */
export function decodeActivity(sequences: number, context: number): Activity {
  const upper = DECODE.findIndex((table) => table.context >= context);
  const high = DECODE[upper === -1 ? DECODE.length - 1 : upper];
  const low = DECODE[Math.max(0, (upper === -1 ? DECODE.length : upper) - 1)];
  if (high === undefined || low === undefined) return { sm: 0, tensor: 0, dram: 0 };
  const share = high === low ? 0 : Math.log(context / low.context) / Math.log(high.context / low.context);
  return blend(interpolate(low.rows, sequences), interpolate(high.rows, sequences), share);
}

/** Straight lines over the logarithm of the key: the tables double from row to row. */
function interpolate(rows: readonly Row[], key: number): Activity {
  const upper = rows.findIndex(([at]) => at >= key);
  const high = rows[upper === -1 ? rows.length - 1 : upper];
  const low = rows[Math.max(0, (upper === -1 ? rows.length : upper) - 1)];
  if (high === undefined || low === undefined) return { sm: 0, tensor: 0, dram: 0 };
  const share = high[0] === low[0] ? 0 : Math.log(Math.max(key, low[0]) / low[0]) / Math.log(high[0] / low[0]);
  return blend(toActivity(low), toActivity(high), share);
}

const toActivity = ([, sm, tensor, dram]: Row): Activity => ({ sm, tensor, dram });

function blend(a: Activity, b: Activity, share: number): Activity {
  const s = Math.min(1, Math.max(0, share));
  const mix = (x: number, y: number): number => x + (y - x) * s;
  return { sm: mix(a.sm, b.sm), tensor: mix(a.tensor, b.tensor), dram: mix(a.dram, b.dram) };
}

const IDLE_WATTS = 78;
/** The limit of the board: at it the driver lowers the clocks. */
export const MAX_WATTS = 700;

/**
 * Power is an estimate: the idle draw (78 W) and the draw of a pure memory copy (459 W at 97 % SM, 86 % DRAM)
 * are measured, the tensor part is set so that long prefill comes near the 700 W limit.
 */
export const watts = ({ sm, tensor, dram }: Activity): number => Math.min(MAX_WATTS, IDLE_WATTS + 120 * sm + 300 * dram + 600 * tensor);
