/** One check of `npm run check`. It says how much it looked at, because a gate that saw nothing proves nothing. */
export interface Gate {
  readonly name: string;
  /** A heavy gate runs a program that uses every core; light ones run beside it. */
  run(root: string): Promise<GateResult>;
}

export interface GateResult {
  readonly ok: boolean;
  /** For example "214 modules". */
  readonly looked: string;
  /** What is wrong, one line each where possible; empty when ok. */
  readonly problems: string;
}

/** A result from a list of problems; a gate that looked at nothing fails. */
export function verdict(count: number, unit: string, problems: readonly string[]): GateResult {
  const looked = `${count} ${unit}`;
  if (count === 0) return { ok: false, looked, problems: `looked at no ${unit}: the gate is blind` };
  return { ok: problems.length === 0, looked, problems: problems.join("\n") };
}
