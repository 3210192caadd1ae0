import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentSettings } from "../../agent/config.ts";
import { leaseOf, probeLease, type LeaseAnswer } from "../../agent/discover/probe.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { createKubectl } from "../demo/kubernetes/kubectl.ts";
import { type Finding, bad, good, warning } from "./finding.ts";

/** Which Lease the scalers agree by, and how to come to it. */
export interface LeaseOptions {
  readonly lease: string;
  readonly leaseNamespace?: string | undefined;
  /** Asked with kubectl, as the one who runs the doctor; undefined = with the pod's own account. */
  readonly kubeconfig?: string | undefined;
}

/** Where deploy/ puts the scaler. */
const NAMESPACE = "fulcrum";
/** A leader renews every two seconds; one that has not done so in this many is not there. */
const PATIENCE = 7;
const RUNBOOK = "see docs/runbooks/FulcrumNoLeader.md";

/** Who leads, since when, and whether it still does. Nothing where no cluster is configured. */
export async function leader(settings: AgentSettings, options: LeaseOptions): Promise<readonly Finding[]> {
  const { lease, kubeconfig } = options;
  if (kubeconfig !== undefined) return leaderByKubectl({ ...options, kubeconfig });
  if (settings.discovery === "off") return [];
  const namespace = options.leaseNamespace ?? (await ownNamespace(settings)) ?? NAMESPACE;
  return watched(`lease ${namespace}/${lease}`, () => probeLease(settings, namespace, lease));
}

/** The same from outside of the cluster, where there is no agent whose settings could be looked at. */
export async function leaderByKubectl(options: LeaseOptions & { readonly kubeconfig: string }): Promise<readonly Finding[]> {
  const { lease, kubeconfig, leaseNamespace = NAMESPACE } = options;
  return watched(`lease ${leaseNamespace}/${lease}`, () => byKubectl(kubeconfig, leaseNamespace, lease));
}

async function watched(what: string, look: () => Promise<Result<LeaseAnswer, string>>): Promise<readonly Finding[]> {
  const first = await look();
  if (!first.ok) return [bad(what, first.error, "see docs/agent.md, Preflight, for what it is asked with", "lease-unreadable")];
  if (first.value === "forbidden")
    return [good(what, "not asked: the agent's account has no right to; from outside, run doctor with --kubeconfig")];
  if (first.value === "missing")
    return [
      warning(
        what,
        "there is none: no scaler acts on this cluster",
        "start one with actuator kubernetes, or name its lease by --lease",
        "lease-missing",
      ),
    ];
  const { holder, since, renewed, version } = first.value;
  if (holder === undefined) return [warning(what, "held by nobody: the last leader gave it back", RUNBOOK, "lease-unheld")];
  const leads = `${podOf(holder)} leads since ${since ?? "an unknown time"}`;
  for (let waited = 0; waited < PATIENCE; waited++) {
    await sleep(1000);
    const next = await look();
    // Clocks of machines are never compared: what counts is that it moves.
    if (next.ok && typeof next.value === "object" && next.value.version !== version) {
      const now = next.value.holder;
      if (now !== holder)
        return [good(what, `${now === undefined ? "given back" : `taken over by ${podOf(now)}`} just now, from ${podOf(holder)}`)];
      return [good(what, `${leads}, and renews it`)];
    }
  }
  return [
    bad(
      what,
      `${leads}, but has not renewed it for ${PATIENCE} s (last at ${renewed ?? "an unknown time"}): nobody acts`,
      RUNBOOK,
      "lease-stale",
    ),
  ];
}

/** A holder is `<pod>_<uuid>`. */
const podOf = (holder: string): string => holder.replace(/_[0-9a-f-]{36}$/, "");

async function ownNamespace({ serviceAccount }: AgentSettings): Promise<string | undefined> {
  const text = await readFile(join(serviceAccount, "namespace"), "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

async function byKubectl(kubeconfig: string, namespace: string, lease: string): Promise<Result<LeaseAnswer, string>> {
  const place = ["--kubeconfig", kubeconfig, "--namespace", namespace];
  const answer = await createKubectl()([...place, "get", "leases.coordination.k8s.io", lease, "--ignore-not-found", "--output", "json"]);
  if (!answer.ok) return /\(Forbidden\)/.test(answer.error) ? err(`${answer.error}; your account may not read leases there`) : answer;
  return answer.value.trim() === "" ? ok("missing") : leaseOf(JSON.parse(answer.value));
}
