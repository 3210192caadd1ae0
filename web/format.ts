/** Numbers as people read them: always with a unit, and an absent value is never a zero. */
export type Format = (value: number) => string;

export const ABSENT = "—";
/** Narrow no-break space, so that a number never parts from its unit. */
export const GAP = "\u202f";

export interface Shown {
  readonly text: string;
  readonly absent: boolean;
}

export function show(value: number | null | undefined, format: Format): Shown {
  if (value === null || value === undefined || !Number.isFinite(value)) return { text: ABSENT, absent: true };
  return { text: format(value), absent: false };
}

/** Three significant digits without exponent; trailing zeros stay so that a changing number keeps its width. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

export const latency: Format = (value) => {
  const size = Math.abs(value);
  if (size === 0) return `0${GAP}ms`;
  if (size < 0.9995) return `${digits(value * 1000)}${GAP}ms`;
  if (size < 59.95) return `${digits(value)}${GAP}s`;
  return span(value);
};

/** Longer times: ages, delays. */
export const span: Format = (value) => {
  const total = Math.round(value);
  if (total < 60) return `${total}${GAP}s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return total % 60 === 0 ? `${minutes}${GAP}min` : `${minutes}${GAP}min ${total % 60}${GAP}s`;
  return `${Math.floor(minutes / 60)}${GAP}h ${minutes % 60}${GAP}min`;
};

const BYTE_STEPS = [
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
] as const;

/** Decimal bytes, as network and NVLink bandwidths are quoted. */
export const bytes: Format = (value) => {
  for (const [size, unit] of BYTE_STEPS) if (Math.abs(value) >= size * 0.9995) return `${digits(value / size)}${GAP}${unit}`;
  return `${value.toFixed(0)}${GAP}B`;
};

export const bandwidth: Format = (value) => `${bytes(value)}/s`;

/** Rounded down: 99.97 % of an objective is not 100 %. */
export const attainment: Format = (value) => {
  // The small term undoes binary fractions such as 0.29 × 1000 = 289.99…, far below the digit shown.
  const tenths = Math.floor(value * 1000 + 1e-6);
  return `${tenths >= 1000 ? "100" : (tenths / 10).toFixed(1)}${GAP}%`;
};

export const percent: Format = (value) => {
  const hundred = value * 100;
  return `${hundred > 0 && hundred < 9.95 ? hundred.toFixed(1) : hundred.toFixed(0)}${GAP}%`;
};

/** 950, 1.20k, 34.5k, 1.02M. */
export const compact: Format = (value) => {
  const size = Math.abs(value);
  if (size >= 999_500) return `${digits(value / 1e6)}M`;
  if (size >= 999.5) return `${digits(value / 1e3)}k`;
  return Number.isInteger(value) ? String(value) : digits(value);
};

export const tokenRate: Format = (value) => `${compact(value)}${GAP}tok/s`;
export const watts: Format = (value) => (value >= 9995 ? `${digits(value / 1000)}${GAP}kW` : `${value.toFixed(0)}${GAP}W`);

/** A whole count; a fraction (a mean over replicas) keeps one digit. */
export const count = (one: string, many = one): Format => {
  return (value) => `${Number.isInteger(value) ? String(value) : value.toFixed(1)}${GAP}${value === 1 ? one : many}`;
};

export const replicas = count("replica", "replicas");
export const requests = count("req");
export const gpus = count("GPU", "GPUs");
