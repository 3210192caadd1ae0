import { z } from "zod";
import { err, ok, type Result } from "../../../core/result.ts";
import type { KubeApi } from "../../kube/api.ts";
import { FIELD_MANAGER, targetName, type KubeTarget } from "../../kube/target.ts";
import { read } from "../../kube/transport.ts";
import { findEngine, flagSteps, type EngineContainer, type FoundEngine, type LimitRole } from "./engine-args.ts";

/** When we last rolled limits out: in the object, so that a successor keeps to the budget too. */
const ROLLED_KEY = "fulcrum.dev/limits-rolled-out-at";

const words = z.array(z.string()).default([]);
const deploymentSchema = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().optional() })).default([]),
  }),
  spec: z.object({
    strategy: z
      .object({
        type: z.string().optional(),
        rollingUpdate: z.object({ maxSurge: z.union([z.number(), z.string()]).optional() }).nullish(),
      })
      .prefault({}),
    template: z.object({ spec: z.object({ containers: z.array(z.object({ command: words, args: words })) }) }),
  }),
});

/** A Deployment as far as a rollout of its arguments is concerned. */
export interface Rollable {
  readonly path: string;
  readonly version: string;
  readonly annotated: boolean;
  readonly containers: readonly EngineContainer[];
  readonly engine: FoundEngine;
  /** Seconds since 1970. */
  readonly rolledAt: number | undefined;
}

const isDeployment = ({ resource, part }: KubeTarget): boolean =>
  part === undefined && resource.group === "apps" && resource.kind === "Deployment";

/** Reads what a rollout would change; an error says why there can be none. */
export async function readRollable(
  api: KubeApi,
  target: KubeTarget,
  role: LimitRole,
  signal: AbortSignal,
): Promise<Result<Rollable, string>> {
  if (!isDeployment(target)) return err(`only a Deployment's arguments are rolled out, not those of ${targetName(target)}`);
  const { resource, namespace, name } = target;
  const path = `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}`;
  const answer = await read(api, { path }, signal);
  if (!answer.ok) return err(answer.error.message);
  const parsed = deploymentSchema.safeParse(answer.value);
  if (!parsed.success) return err(`${targetName(target)} cannot be read: ${parsed.error.issues[0]?.message ?? ""}`);
  const { metadata, spec } = parsed.data;
  const owner = metadata.ownerReferences.find((o) => o.controller === true);
  if (owner !== undefined) return err(`${targetName(target)} is managed by ${owner.kind} ${owner.name}, which would undo the change`);
  const surge = spec.strategy.rollingUpdate?.maxSurge ?? "25%";
  // Without it more replicas than are paid for run during the rollout, or on a full cluster it never ends.
  if (spec.strategy.type === "Recreate" || Number.parseFloat(String(surge)) !== 0) {
    const is =
      spec.strategy.type === "Recreate" ? "strategy Recreate ends all replicas at once" : `maxSurge ${surge} needs GPUs beyond the budget`;
    return err(`${targetName(target)}: ${is}; set strategy.rollingUpdate.maxSurge to 0`);
  }
  const { containers } = spec.template.spec;
  const engine = findEngine(containers, role);
  if (!engine.ok) return engine;
  const stamp = Date.parse(metadata.annotations?.[ROLLED_KEY] ?? "") / 1000;
  return ok({
    ...{ path, containers, engine: engine.value, version: metadata.resourceVersion, annotated: metadata.annotations !== undefined },
    rolledAt: Number.isFinite(stamp) ? stamp : undefined,
  });
}

/** Changes one argument of the template, on the condition that the Deployment is as it was read: its controller does the rest. */
export async function rollOut(
  api: KubeApi,
  from: Rollable,
  to: number,
  now: number,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  const { container, knob } = from.engine;
  const stamp = new Date(now * 1000).toISOString();
  const marks = from.annotated
    ? { op: "add", path: `/metadata/annotations/${ROLLED_KEY.replace("/", "~1")}`, value: stamp }
    : { op: "add", path: "/metadata/annotations", value: { [ROLLED_KEY]: stamp } };
  const answer = await api.call(
    {
      method: "PATCH",
      path: from.path,
      query: { fieldManager: FIELD_MANAGER },
      contentType: "application/json-patch+json",
      body: [
        { op: "replace", path: "/metadata/resourceVersion", value: from.version },
        marks,
        ...flagSteps(from.containers[container] ?? { command: [], args: [] }, `/spec/template/spec/containers/${container}`, knob.flag, to),
      ],
    },
    signal,
  );
  return answer.ok ? ok(undefined) : err(answer.error.message);
}
