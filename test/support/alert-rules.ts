import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const RULES_FILE = fileURLToPath(new URL("../../alerts/fulcrum.rules.yaml", import.meta.url));
export const RULE_TESTS_FILE = fileURLToPath(new URL("../../alerts/fulcrum.test.yaml", import.meta.url));

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

interface RuleTests {
  readonly tests: readonly {
    readonly name: string;
    readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[];
  }[];
}

function rules(): readonly (AlertRule | RecordingRule)[] {
  const file = parse(readFileSync(RULES_FILE, "utf8")) as { groups: readonly { rules: readonly (AlertRule | RecordingRule)[] }[] };
  return file.groups.flatMap((group) => group.rules);
}

export const alertRules = (): AlertRule[] => rules().filter((rule) => "alert" in rule);
export const recordingRules = (): RecordingRule[] => rules().filter((rule) => "record" in rule);
export const ruleTests = (): RuleTests => parse(readFileSync(RULE_TESTS_FILE, "utf8")) as RuleTests;
