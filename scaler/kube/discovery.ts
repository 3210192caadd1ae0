import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import { groupSchema, resourceListSchema } from "./objects.ts";
import { read } from "./transport.ts";

/** What the API server says of a kind. */
export interface KubeResource {
  readonly group: string;
  /** `/apis/apps/v1` */
  readonly root: string;
  readonly plural: string;
  readonly kind: string;
}

/** A resource, and why it cannot be scaled through a scale subresource; undefined = it can. */
export interface Found {
  readonly resource: KubeResource;
  readonly notScalable: string | undefined;
}

export interface Discovery {
  /** The namespaced resource behind a kind. */
  find(apiVersion: string, kind: string, signal: AbortSignal): Promise<Result<Found, string>>;
  /** Whether the cluster serves that version of a group. */
  serves(group: string, version: string, signal: AbortSignal): Promise<Result<boolean, string>>;
}

/** Custom kinds change when somebody installs another release; after this long they are asked about again. */
const KEEP = 600;
const MAX_KEPT = 100;

export function createDiscovery(api: KubeApi, clock: () => number): Discovery {
  const kept = new Map<string, { readonly at: number; readonly found: Found }>();
  const groups = new Map<string, { readonly at: number; readonly served: readonly string[] }>();

  return {
    async find(apiVersion, kind, signal) {
      const key = `${apiVersion}/${kind}`;
      const known = kept.get(key);
      if (known !== undefined && clock() - known.at < KEEP) return ok(known.found);
      const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/", 2) as [string, string]) : ["", apiVersion];
      const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
      const answer = await read(api, { path: root }, signal);
      if (!answer.ok) return err(answer.error.status === 404 ? await notServed(api, group, apiVersion, signal) : answer.error.message);
      const parsed = resourceListSchema.safeParse(answer.value);
      if (!parsed.success) return err(`GET ${root}: not a list of resources`);
      const { resources } = parsed.data;
      const listed = resources.find((r) => r.kind === kind && r.namespaced && !r.name.includes("/"));
      if (listed === undefined) return err(`the cluster serves ${apiVersion}, but no kind ${kind} in it; it has ${kindsIn(resources)}`);
      const scalable = resources.some((r) => r.name === `${listed.name}/scale`);
      const found = {
        resource: { group, root, plural: listed.name, kind },
        notScalable: scalable ? undefined : notScalable(kind, resources),
      };
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(key, { at: clock(), found });
      return ok(found);
    },
    async serves(group, version, signal) {
      const known = groups.get(group);
      const name = `${group}/${version}`;
      if (known !== undefined && clock() - known.at < KEEP) return ok(known.served.includes(name));
      const answer = await read(api, { path: `/apis/${group}` }, signal);
      if (!answer.ok) return err(answer.error.message);
      const parsed = groupSchema.safeParse(answer.value);
      if (!parsed.success) return err(`GET /apis/${group}: not a group of the API`);
      const served = parsed.data.versions.map((v) => v.groupVersion);
      if (groups.size >= MAX_KEPT) groups.clear();
      groups.set(group, { at: clock(), served });
      return ok(served.includes(name));
    },
  };
}

async function notServed(api: KubeApi, group: string, apiVersion: string, signal: AbortSignal): Promise<string> {
  const answer = group === "" ? undefined : await read(api, { path: `/apis/${group}` }, signal);
  const parsed = answer?.ok === true ? groupSchema.safeParse(answer.value) : undefined;
  const served = parsed?.success === true ? parsed.data.versions.map((v) => v.groupVersion).join(", ") : "nothing of that group";
  return `the cluster does not serve ${apiVersion}; it serves ${served}`;
}

type Listed = readonly { readonly name: string; readonly kind: string }[];

const kindsIn = (resources: Listed): string =>
  [...new Set(resources.filter((r) => !r.name.includes("/")).map((r) => r.kind))].slice(0, 20).join(", ");

function notScalable(kind: string, resources: Listed): string {
  const others = resources.filter((r) => r.name.endsWith("/scale")).map((r) => r.name.replace("/scale", ""));
  const instead = others.length === 0 ? "" : `; of its group these have: ${others.slice(0, 20).join(", ")}`;
  return `${kind} has no scale subresource${instead}`;
}
