import type { AgentSettings } from "../../agent/config.ts";
import { probeDiscovery, probeKubelet } from "../../agent/discover/probe.ts";
import type { TargetsFile } from "../../core/targets.ts";
import { type Finding, bad, good, warning } from "./finding.ts";

/** A node with hundreds of strange pods needs one mend, not hundreds of lines. */
const MAX_NAMED = 20;

/** What the agent would find through the API server: how much, and a line with the mend for each pod that it could not place. */
export async function discovered(
  settings: AgentSettings,
  file: TargetsFile | undefined,
): Promise<{ readonly findings: readonly Finding[]; readonly targets: TargetsFile | undefined }> {
  if (settings.discovery === "off") return { findings: [], targets: undefined };
  const what = `pods of ${settings.node}`;
  const probe = await probeDiscovery(settings, file);
  if ("problem" in probe) {
    return {
      findings: [bad(what, probe.problem, "see docs/agent.md, Discovery, for the rights and addresses it needs", "discovery-failed")],
      targets: undefined,
    };
  }
  const { targets, unattributed, conflicts } = probe.merged;
  const how = `${probe.pods} pods, ${targets.engines.length} engines, ${targets.gpus.length} GPU pages`;
  const strange = unattributed
    .slice(0, MAX_NAMED)
    .map(({ namespace, pod, reason, detail }) => warning(`pod ${namespace}/${pod}`, `in no pool (${reason})`, detail, "pod-unattributed"));
  const more = unattributed.length - strange.length;
  return {
    targets,
    findings: [
      targets.engines.length > 0
        ? good(what, how)
        : warning(what, how, "fine on a node without engines, else see docs/agent.md, Discovery", "discovery-empty"),
      ...strange,
      ...(more > 0 ? [warning("pods", `${more} more in no pool`, "GET /targets of the agent names them", "pod-unattributed")] : []),
      ...conflicts.map((conflict) =>
        warning("targets file and pods", conflict, "remove the pod from the file or mend its labels", "pod-conflict"),
      ),
    ],
  };
}

/** Whether the kubelet tells which pod was given which GPU; outside of Kubernetes there is nothing to say. */
export async function kubelet(settings: AgentSettings): Promise<readonly Finding[]> {
  const what = `kubelet ${settings.podResources}`;
  if (settings.podResources === "off") return [good("kubelet", "not asked")];
  const probe = await probeKubelet(settings);
  if (probe === "absent") {
    const instead = "not there; GPUs lead to pods by their processes or by the exporter's labels";
    return settings.discovery === "off" ? [] : [good(what, instead)];
  }
  if ("problem" in probe) {
    return [warning(what, probe.problem, "run the agent as root, as deploy/components/pod-resources does", "kubelet-unreadable")];
  }
  return [good(what, `${probe.devices} devices given to ${probe.pods} pods`)];
}
