import { KV_PATH_PROBLEMS } from "../../core/kv-path.ts";

/** What a finding is about, for scripts: stable names, each a check or one of its outcomes. docs/agent.md lists them. */
export const FINDING_CODES = [
  "node-version",
  "targets",
  "targets-empty",
  "kubelet",
  "kubelet-unreadable",
  "discovery",
  "discovery-failed",
  "discovery-empty",
  "pod-unattributed",
  "pod-conflict",
  "engine",
  "engine-unreachable",
  "engine-json-page",
  "engine-not-understood",
  "engine-role-mismatch",
  "engine-signals-missing",
  "gpu-page",
  "gpu-page-unreachable",
  "gpu-page-empty",
  "gpu-reader",
  "rdma",
  "rdma-port-down",
  "rdma-counters-missing",
  "rdma-ports-left-out",
  ...KV_PATH_PROBLEMS,
  "port",
  "port-in-use",
  "scaler",
  "scaler-unreachable",
  "policy-not-in-use",
  "client-certificate-expired",
  "client-certificate-expiring",
  "link",
  "link-refused",
  "link-failed",
  "lease",
  "lease-missing",
  "lease-unheld",
  "lease-stale",
  "lease-unreadable",
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** One line of the doctor: what was looked at, how it is, and for what is not good, the mend. */
export interface Finding {
  readonly standing: "good" | "warning" | "bad";
  readonly what: string;
  readonly how: string;
  readonly mend?: string;
  /** Where it is narrower than the check's own. */
  readonly code?: FindingCode;
}

export interface CodedFinding extends Finding {
  readonly code: FindingCode;
}

export const good = (what: string, how: string): Finding => ({ standing: "good", what, how });
export const warning = (what: string, how: string, mend: string, code?: FindingCode): Finding => told("warning", what, how, mend, code);
export const bad = (what: string, how: string, mend: string, code?: FindingCode): Finding => told("bad", what, how, mend, code);

const told = (standing: Finding["standing"], what: string, how: string, mend: string, code: FindingCode | undefined): Finding => ({
  ...{ standing, what, how, mend },
  ...(code !== undefined && { code }),
});

/** The findings of one check; those without a code of their own get the check's. */
export const coded = (check: FindingCode, findings: readonly Finding[]): readonly CodedFinding[] =>
  findings.map((finding) => ({ ...finding, code: finding.code ?? check }));

const WORDS = { good: "ok  ", warning: "warn", bad: "FAIL" } as const;

export const line = (finding: Finding): string =>
  `${WORDS[finding.standing]} ${finding.what}: ${finding.how}${finding.mend === undefined ? "" : `; ${finding.mend}`}`;

const SEVERITIES = { good: "ok", warning: "warning", bad: "error" } as const;

/** `--json`: one object; `mend` is null where nothing needs mending. Fields are added, never renamed. */
export const toJson = (node: string, findings: readonly CodedFinding[]): string =>
  JSON.stringify({
    node,
    healthy: !failed(findings),
    findings: findings.map(({ code, standing, what, how, mend }) => ({
      code,
      severity: SEVERITIES[standing],
      subject: what,
      text: how,
      mend: mend ?? null,
    })),
  });

/** Whether something must be mended before the agent can do its work: exit code 1. */
export const failed = (findings: readonly Finding[]): boolean => findings.some((finding) => finding.standing === "bad");
