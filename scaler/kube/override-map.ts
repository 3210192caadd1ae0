import { z } from "zod";
import { err, ok, type Result } from "../../core/result.ts";
import { parseDocument, type OverrideDocument } from "../overrides/document.ts";
import type { OverridePlace, PlaceError } from "../overrides/place.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { read } from "./transport.ts";

export interface OverrideMapDeps {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Of the lease; the ConfigMap is called after it. */
  readonly lease: string;
}

const KEY = "overrides.json";
const schema = z.object({ metadata: z.object({ resourceVersion: z.string() }), data: z.record(z.string(), z.string()).optional() });

/**
 * Overrides that all scalers share: one ConfigMap beside the lease. Whichever scaler an operator reaches writes it, leading or not:
 * it is the leader who obeys.
 */
export function createOverrideMap({ api, namespace, lease }: OverrideMapDeps): OverridePlace {
  const name = `${lease}-overrides`;
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const where = `ConfigMap ${namespace}/${name}`;
  /** What the next write replaces; undefined: there is none yet. */
  let version: string | undefined;

  return {
    where,
    shared: true,
    async read(signal): Promise<Result<OverrideDocument | undefined, PlaceError>> {
      const answer = await read(api, { path: `${maps}/${name}` }, signal);
      if (!answer.ok && answer.error.status === 404) {
        version = undefined;
        return ok(undefined);
      }
      if (!answer.ok) return err(placeError(answer.error));
      const parsed = schema.safeParse(answer.value);
      if (!parsed.success) return err({ kind: "broken", message: `${where}: not one` });
      version = parsed.data.metadata.resourceVersion;
      const text = parsed.data.data?.[KEY];
      if (text === undefined) return ok(undefined);
      const document = parseDocument(text);
      return document === undefined ? err({ kind: "broken", message: `${where}: ${KEY} is not what a scaler writes` }) : ok(document);
    },
    async write(document, signal): Promise<Result<void, PlaceError>> {
      const body = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace, ...(version === undefined ? {} : { resourceVersion: version }) },
        data: { [KEY]: JSON.stringify(document, undefined, 2) },
      };
      const answer = await (version === undefined
        ? api.call({ method: "POST", path: maps, body }, signal)
        : api.call({ method: "PUT", path: `${maps}/${name}`, body }, signal));
      if (!answer.ok) return err(placeError(answer.error));
      const kept = schema.safeParse(answer.value);
      version = kept.success ? kept.data.metadata.resourceVersion : undefined;
      return ok(undefined);
    },
  };
}

function placeError({ status, message }: KubeError): PlaceError {
  // 404: it was deleted since it was read.
  if (status === 409 || status === 404) return { kind: "moved-on", message };
  return { kind: status === 403 ? "forbidden" : "unreachable", message };
}
