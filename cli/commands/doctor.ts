import { agentSettingsSchema } from "../../agent/config.ts";
import type { Define } from "../define.ts";
import { examine } from "../doctor/checks.ts";
import { type CodedFinding, coded, failed, line, toJson } from "../doctor/finding.ts";
import { leaderByKubectl, type LeaseOptions } from "../doctor/lease.ts";
import { EXIT } from "../exit.ts";
import { print } from "../output.ts";
import { addSettingFlags, settingsOf } from "../settings.ts";

const EXAMPLES = `
Takes the agent's settings and prints a line per thing the agent needs: ok, warn or FAIL, with the mend. Exit 1 when one fails.

Examples:
  fulcrum doctor --config agent.yaml
  fulcrum doctor --node node-a --targets targets-node-a.json
  fulcrum doctor --kubeconfig ~/.kube/config        who leads the scalers, from outside of the cluster
  fulcrum doctor --config agent.yaml --json | jq '.findings[] | select(.severity != "ok")'`;

export const doctor: Define = (command, run) => {
  addSettingFlags(command, agentSettingsSchema);
  command
    .option("--json", "print one object on stdout: findings with code, severity, subject, text and mend", false)
    .option(
      "--kubeconfig <file>",
      "ask the cluster who leads as yourself, by kubectl; default: with the pod's account, where discovery is on",
    )
    .option("--lease <name>", "Lease by which scalers agree who acts", "fulcrum-scaler")
    .option("--lease-namespace <name>", "its namespace; default: the pod's own, else fulcrum")
    .addHelpText("after", EXAMPLES)
    .action((options: DoctorFlags) => run(() => examineNode(options)));
};

type DoctorFlags = Readonly<Record<string, unknown>> & LeaseOptions & { readonly json: boolean };

/** Set by hand or by the manifests: there is a node to look at. */
const ofNode = (settings: Readonly<Record<string, unknown>>): boolean =>
  settings["node"] !== undefined || settings["config"] !== undefined || process.env["FULCRUM_NODE"] !== undefined;

async function examineNode({ json, kubeconfig, lease, leaseNamespace, ...settings }: DoctorFlags): Promise<number> {
  if (kubeconfig !== undefined && !ofNode(settings)) {
    const found = coded("lease", await leaderByKubectl({ kubeconfig, lease, leaseNamespace }));
    return tell("", found, json);
  }
  const resolved = await settingsOf(agentSettingsSchema, settings);
  const findings = await examine(resolved, process.version, { lease, leaseNamespace, kubeconfig });
  return tell(resolved.node, findings, json);
}

async function tell(node: string, findings: readonly CodedFinding[], json: boolean): Promise<number> {
  if (json) await print(toJson(node, findings));
  else for (const finding of findings) await print(line(finding));
  return failed(findings) ? EXIT.no : EXIT.good;
}
