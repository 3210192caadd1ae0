/** Writes the PrometheusRule of deploy/components/prometheus-operator from alerts/fulcrum.rules.yaml; with --check says whether it is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";

const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
const file = path("deploy/components/prometheus-operator/prometheusrule.yaml");
const rule = {
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: "fulcrum", namespace: "fulcrum", labels: { "app.kubernetes.io/part-of": "fulcrum" } },
  spec: parse(readFileSync(path("alerts/fulcrum.rules.yaml"), "utf8")) as unknown,
};
const text = `# Generated from alerts/fulcrum.rules.yaml by scripts/prometheus-rule.ts (\`npm run docs\`).\n${stringify(rule, { lineWidth: 0 })}`;

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== text) {
    console.error(
      "deploy/components/prometheus-operator/prometheusrule.yaml is not what alerts/fulcrum.rules.yaml says: run `npm run docs`",
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
