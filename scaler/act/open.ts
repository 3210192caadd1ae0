import { err, ok, type Result } from "../../core/result.ts";
import type { ScalerSettings } from "../config.ts";
import type { Standing } from "../kube/lease.ts";
import type { Acting } from "../kube/start.ts";
import type { Log } from "../log.ts";
import type { Actuator } from "./actuator.ts";
import { createFleetActuator } from "./fleet.ts";
import { createNoActuator } from "./none.ts";

/** What the settings say to act on. `onStanding` is told whenever this process begins or ceases to lead. */
export async function openActuator(
  settings: ScalerSettings,
  onStanding: (standing: Standing) => void,
  address: () => string | undefined,
  log: Log,
): Promise<Result<Acting, string>> {
  const { fleetUrl, actuator = fleetUrl === undefined ? "none" : "fleet" } = settings;
  if (settings.policyObjects !== "none" && actuator !== "kubernetes")
    return err(`policyObjects ${settings.policyObjects} (FULCRUM_POLICY_OBJECTS) needs actuator kubernetes (FULCRUM_ACTUATOR)`);
  if (actuator === "kubernetes") {
    // The client library is large: who scales no cluster does not load it.
    const { startKubernetes } = await import("../kube/start.ts");
    const { kubeconfig, lease, leaseNamespace, policyObjects, engineKeyFile } = settings;
    return startKubernetes({ kubeconfig, lease, leaseNamespace, policyObjects, engineKeyFile, address }, onStanding, log);
  }
  if (actuator === "fleet") {
    if (fleetUrl === undefined) return { ok: false, error: "actuator fleet needs fleetUrl (FULCRUM_FLEET_URL)" };
    return ok(alone(createFleetActuator(fleetUrl), onStanding));
  }
  const why =
    "no cluster is configured; set actuator: kubernetes (FULCRUM_ACTUATOR), or fleetUrl (FULCRUM_FLEET_URL) to drive FleetPool targets";
  return ok(alone(createNoActuator(why), onStanding));
}

/** Nobody to agree with. */
function alone(actuator: Actuator, onStanding: (standing: Standing) => void): Acting {
  onStanding("leading");
  return {
    actuator,
    standing: () => "leading",
    leader: () => null,
    leaderAddress: () => undefined,
    policies: undefined,
    shared: undefined,
    overrides: undefined,
    stop: async () => undefined,
  };
}
