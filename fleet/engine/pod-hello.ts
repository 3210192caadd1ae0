import { err, ok, type Result } from "../../core/result.ts";
import type { EngineHello } from "./messages.ts";

/** What the manifest of an engine's pod tells it (deploy/demo/serving/engines.yaml). */
export function podHello(env: Readonly<Record<string, string | undefined>>): Result<EngineHello, string> {
  const [role, pod, node, host] = ["ROLE", "POD", "NODE", "HOST"].map((name) => env[`FULCRUM_ENGINE_${name}`]);
  const [port, otlp] = [Number(env["FULCRUM_ENGINE_PORT"] ?? 8000), env["FULCRUM_ENGINE_OTLP"]];
  if (role !== "prefill" && role !== "decode") return err("FULCRUM_ENGINE_ROLE: prefill or decode is wanted");
  if (pod === undefined || node === undefined || host === undefined)
    return err("FULCRUM_ENGINE_POD, FULCRUM_ENGINE_NODE and FULCRUM_ENGINE_HOST are to be the pod's name, its node's, and its address");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return err("FULCRUM_ENGINE_PORT: a port is wanted");
  return ok({ role, pod, node, host, port, ...(otlp === undefined ? {} : { otlp }) });
}
