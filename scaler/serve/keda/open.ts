import { inForce } from "../../../core/override.ts";
import { ScalerError, type ScalerSettings } from "../../config.ts";
import { lowered } from "../../decide/overridden.ts";
import type { Log } from "../../log.ts";
import type { Runner } from "../../loop/runner.ts";
import type { Scaler } from "../../loop/scaler.ts";
import type { OverrideStore } from "../../overrides/store.ts";
import type { Policy } from "../../policy/schema.ts";
import type { ScalerMetrics } from "../metrics.ts";
import type { KeyPair } from "../tls.ts";
import { startKedaServer, type KedaServer } from "./server.ts";

interface KedaParts {
  readonly scaler: Scaler;
  readonly overrides: OverrideStore;
  readonly standby: () => boolean;
  readonly tls: KeyPair | undefined;
  readonly metrics: Pick<ScalerMetrics, "kedaAnswered">;
  readonly clock: () => number;
  readonly log: Log;
}

/** The setting kedaPort: KEDA's external scaler; undefined = not served. */
export async function openKeda(
  { host, kedaPort }: ScalerSettings,
  { scaler, overrides, standby, tls, metrics, clock, log }: KedaParts,
): Promise<KedaServer | undefined> {
  if (kedaPort === undefined) return undefined;
  const known = (name: string): Runner | undefined => scaler.runners().find((runner) => runner.name === name);
  const carried = ({ name, policy }: Runner): Policy => lowered(policy, inForce(overrides.current(), name, policy.spec.mode, clock()));
  const toKnown = (runner: Runner | undefined) => (runner === undefined ? undefined : { policy: carried(runner), last: runner.last() });
  const server = await startKedaServer({
    ...{ host, port: kedaPort, tls, standby, clock, answered: metrics.kedaAnswered },
    known: (name) => toKnown(known(name)),
  }).catch((error: unknown) => {
    throw new ScalerError(
      "port-in-use",
      `kedaPort ${kedaPort} on ${host} cannot be had: ${messageOf(error)}; give another with --keda-port`,
    );
  });
  log.info({ host, port: server.port, tls: tls !== undefined }, "keda: listening");
  return server;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
