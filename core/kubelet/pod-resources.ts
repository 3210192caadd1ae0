import { createProtoReader, type ProtoReader } from "../otlp/proto-reader.ts";
import { type Result, err, ok } from "../result.ts";

/** A device that a container was given. */
export interface Allocation {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly device: AllocatedDevice;
}

/** By a device plugin: the resource and the plugin's own name of the device. By a claim (DRA): driver, pool and device of a ResourceSlice. */
export type AllocatedDevice =
  | { readonly by: "plugin"; readonly resource: string; readonly id: string }
  | { readonly by: "claim"; readonly driver: string; readonly pool: string; readonly device: string };

/** A kubelet takes some hundred pods, a node some dozen devices, each cut into some dozen replicas at most. */
const MAX_ALLOCATIONS = 20_000;

const field = (number: number): number => number * 8 + 2;

/**
 * The kubelet's ListPodResourcesResponse (k8s.io/kubelet, podresources v1; v1alpha1 has the same fields as far as it goes) → what was given to
 * whom. Memory, CPUs and topology are skipped.
 */
export function decodePodResources(bytes: Uint8Array): Result<readonly Allocation[], string> {
  const reader = createProtoReader(bytes);
  const out: Allocation[] = [];
  each(reader, (tag) => {
    if (tag !== field(1)) return reader.skip(tag);
    inside(reader, () => podResources(reader, out));
  });
  const failure = reader.failure();
  if (failure !== undefined) return err(`not a list of pod resources: ${failure.message} at byte ${failure.offset}`);
  return out.length > MAX_ALLOCATIONS ? err(`over ${MAX_ALLOCATIONS} devices were given away`) : ok(out);
}

/** PodResources: name, namespace, containers; fields come in any order. */
function podResources(reader: ProtoReader, out: Allocation[]): void {
  let [pod, namespace] = ["", ""];
  const found: Omit<Allocation, "pod" | "namespace">[] = [];
  each(reader, (tag) => {
    if (tag === field(1)) pod = reader.text();
    else if (tag === field(2)) namespace = reader.text();
    else if (tag === field(3)) inside(reader, () => containerResources(reader, found));
    else reader.skip(tag);
  });
  for (const { container, device } of found) out.push({ namespace, pod, container, device });
}

/** ContainerResources: name, devices, (CPUs, memory,) dynamic resources. */
function containerResources(reader: ProtoReader, out: Omit<Allocation, "pod" | "namespace">[]): void {
  let container = "";
  const devices: AllocatedDevice[] = [];
  each(reader, (tag) => {
    if (tag === field(1)) container = reader.text();
    else if (tag === field(2)) inside(reader, () => containerDevices(reader, devices));
    else if (tag === field(5)) inside(reader, () => dynamicResource(reader, devices));
    else reader.skip(tag);
  });
  for (const device of devices) out.push({ container, device });
}

/** ContainerDevices: resource name, device ids. */
function containerDevices(reader: ProtoReader, out: AllocatedDevice[]): void {
  let resource = "";
  const ids: string[] = [];
  each(reader, (tag) => {
    if (tag === field(1)) resource = reader.text();
    else if (tag === field(2)) ids.push(reader.text());
    else reader.skip(tag);
  });
  for (const id of ids) out.push({ by: "plugin", resource, id });
}

/** DynamicResource: (class,) claim name, claim namespace, claim resources: (CDI devices,) driver, pool, device. */
function dynamicResource(reader: ProtoReader, out: AllocatedDevice[]): void {
  each(reader, (tag) => {
    if (tag !== field(4)) return reader.skip(tag);
    inside(reader, () => {
      const names = new Map<number, string>();
      each(reader, (inner) => {
        if (inner === field(2) || inner === field(3) || inner === field(4)) names.set(inner, reader.text());
        else reader.skip(inner);
      });
      const [driver, pool, device] = [names.get(field(2)), names.get(field(3)), names.get(field(4))];
      // Kubelets before 1.31 know only the CDI name, which each driver makes up by itself.
      if (driver !== undefined && pool !== undefined && device !== undefined) out.push({ by: "claim", driver, pool, device });
    });
  });
}

function each(reader: ProtoReader, take: (tag: number) => void): void {
  while (reader.more()) take(reader.tag());
}

function inside(reader: ProtoReader, read: () => void): void {
  const outer = reader.enter();
  read();
  reader.leave(outer);
}
