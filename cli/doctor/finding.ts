/** One line of the doctor: what was looked at, how it is, and for what is not good, the mend. */
export interface Finding {
  readonly standing: "good" | "warning" | "bad";
  readonly what: string;
  readonly how: string;
  readonly mend?: string;
}

export const good = (what: string, how: string): Finding => ({ standing: "good", what, how });
export const warning = (what: string, how: string, mend: string): Finding => ({ standing: "warning", what, how, mend });
export const bad = (what: string, how: string, mend: string): Finding => ({ standing: "bad", what, how, mend });

const WORDS = { good: "ok  ", warning: "warn", bad: "FAIL" } as const;

export const line = (finding: Finding): string =>
  `${WORDS[finding.standing]} ${finding.what}: ${finding.how}${finding.mend === undefined ? "" : `; ${finding.mend}`}`;
