import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { z } from "zod";
import { err, ok, type Result } from "../../core/result.ts";
import { parseCheckpoint, type Checkpoint } from "../journal/checkpoint.ts";
import type { KubeApi } from "./api.ts";
import type { Leadership } from "./lease.ts";
import { read } from "./transport.ts";

/** What the leader has learned, where its successor finds it: one ConfigMap beside the lease. */
export interface SharedState {
  /** Undefined: nobody has left anything yet. */
  read(signal: AbortSignal): Promise<Result<Checkpoint | undefined, string>>;
  /** Only of a leader, and only over the version that it read or wrote last. Told: the policies that did not fit. */
  write(checkpoint: Checkpoint, signal: AbortSignal): Promise<Result<Written, string>>;
}

export interface Written {
  readonly bytes: number;
  readonly leftOut: readonly string[];
}

export interface StateMapDeps {
  readonly api: KubeApi;
  readonly leadership: Pick<Leadership, "fence">;
  readonly namespace: string;
  /** Of the lease; the ConfigMap is called after it. */
  readonly lease: string;
  readonly identity: string;
  /** Compressed bytes at most; less in tests. */
  readonly limit?: number;
}

/** A ConfigMap takes 1 MiB, base64 included, which adds a third. */
const MAX_BYTES = 700 * 1024;
/** Hostile or broken content must not fill the memory. */
const MAX_PLAIN = 32 * 1024 * 1024;
const FORMAT = "1";
const KEY = "checkpoint.json.gz";

const schema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.object({ format: z.string().optional() }).optional(),
  binaryData: z.record(z.string(), z.string()).optional(),
});

export function createStateMap({ api, leadership, namespace, lease, identity, limit = MAX_BYTES }: StateMapDeps): SharedState {
  const name = `${lease}-state`;
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  /** The version that the next write replaces; null: there is none; undefined: not known. */
  let version: string | null | undefined;

  async function fetch(signal: AbortSignal): Promise<Result<z.output<typeof schema> | undefined, string>> {
    const answer = await read(api, { path: `${maps}/${name}` }, signal);
    if (!answer.ok && answer.error.status === 404) {
      version = null;
      return ok(undefined);
    }
    if (!answer.ok) return err(answer.error.message);
    const parsed = schema.safeParse(answer.value);
    if (!parsed.success) return err(`ConfigMap ${namespace}/${name}: not one`);
    version = parsed.data.metadata.resourceVersion;
    return ok(parsed.data);
  }

  return {
    async read(signal) {
      const found = await fetch(signal);
      if (!found.ok) return found;
      const packed = found.value?.binaryData?.[KEY];
      if (packed === undefined) return ok(undefined);
      const where = `ConfigMap ${namespace}/${name}`;
      const format = found.value?.data?.format;
      if (format !== FORMAT) return err(`${where}: is of format ${format ?? "unknown"}, not ${FORMAT}`);
      const text = await unpack(packed);
      if (text === undefined) return err(`${where}: ${KEY} is not what a scaler writes`);
      const { checkpoint, problem } = parseCheckpoint(text, where);
      return checkpoint === undefined ? err(problem ?? where) : ok(checkpoint);
    },
    async write(checkpoint, signal) {
      if (version === undefined) {
        const found = await fetch(signal);
        if (!found.ok) return found;
      }
      const { packed, leftOut } = await fitting(checkpoint, limit);
      // Last of all: nothing waits between the look at the lease and the write.
      const led = await leadership.fence(signal);
      if (!led.ok) return led;
      const body = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace, ...(version === null ? {} : { resourceVersion: version }) },
        data: { format: FORMAT, version: checkpoint.version, writer: identity },
        binaryData: { [KEY]: packed.toString("base64") },
      };
      const answer = await (version === null
        ? api.call({ method: "POST", path: maps, body }, signal)
        : api.call({ method: "PUT", path: `${maps}/${name}`, body }, signal));
      const kept = answer.ok ? schema.safeParse(answer.value) : undefined;
      // Somebody wrote in between, or nobody knows whether we did: the next write looks first.
      version = kept?.success === true ? kept.data.metadata.resourceVersion : undefined;
      return answer.ok ? ok({ bytes: packed.byteLength, leftOut }) : err(answer.error.message);
    },
  };
}

/** The largest go first when not all fit: a policy that is left out learns anew after a takeover, and nothing worse. */
async function fitting(checkpoint: Checkpoint, limit: number): Promise<{ readonly packed: Buffer; readonly leftOut: readonly string[] }> {
  const bySize = Object.entries(checkpoint.policies).toSorted(([, a], [, b]) => JSON.stringify(a).length - JSON.stringify(b).length);
  const leftOut: string[] = [];
  for (;;) {
    const policies = Object.fromEntries(bySize);
    const packed = await promisify(gzip)(JSON.stringify({ ...checkpoint, policies }));
    if (packed.byteLength <= limit || bySize.length === 0) return { packed, leftOut };
    leftOut.push(...bySize.splice(Math.floor(bySize.length * 0.9)).map(([name]) => name));
  }
}

async function unpack(packed: string): Promise<string | undefined> {
  try {
    return (await promisify(gunzip)(Buffer.from(packed, "base64"), { maxOutputLength: MAX_PLAIN })).toString("utf8");
  } catch {
    return undefined;
  }
}
