/** Numbers as Python's prometheus_client prints them: `3.0`, `5e-05`, `1.7954700587282047e+09`. */
export function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const magnitude = Math.abs(value);
  // Python's repr switches to an exponent below 1e-4, its exposition code from 1e6 up.
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) return exponent(value);
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

function exponent(value: number): string {
  const [mantissa = "0", power = "+0"] = value.toExponential().split("e");
  const sign = power.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${power.slice(1).padStart(2, "0")}`;
}

/** Numbers as the Rust prometheus crate prints them: integers without a point, never an exponent. */
export function rustNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const text = String(value);
  return text.includes("e") ? plain(value) : text;
}

function plain(value: number): string {
  return Math.abs(value) >= 1 ? BigInt(Math.round(value)).toString() : value.toFixed(20).replace(/0+$/, "");
}
