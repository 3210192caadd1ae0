import { randomUUID } from "node:crypto";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Fields = { readonly [key: string]: Json };

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Fields & { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
  readonly spec?: Fields;
  readonly status?: Fields;
  readonly [key: string]: unknown;
}

export interface StoreEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  readonly resource: string;
  readonly object: KubeObject;
}

/** What etcd is to the API server: objects with one version counter over all, and the events of the recent past. */
export class Store {
  #version = 100;
  #objects = new Map<string, KubeObject>();
  #events: StoreEvent[] = [];
  #listeners = new Set<(event: StoreEvent) => void>();

  get version(): number {
    return this.#version;
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(`${resource}|${namespace}|${name}`);
  }

  /** Of all namespaces when none is named. */
  list(resource: string, namespace: string): KubeObject[] {
    const start = namespace === "" ? `${resource}|` : `${resource}|${namespace}|`;
    return [...this.#objects].filter(([key]) => key.startsWith(start)).map(([, object]) => object);
  }

  create(resource: string, object: Omit<KubeObject, "metadata"> & { readonly metadata: Fields }): KubeObject {
    const { name, namespace } = object.metadata as { name: string; namespace: string };
    const metadata = {
      uid: randomUUID(),
      creationTimestamp: new Date().toISOString().replace(/\.\d+Z/, "Z"),
      generation: 1,
      ...object.metadata,
      name,
      namespace,
    };
    return this.#put("ADDED", resource, { ...object, metadata } as unknown as KubeObject);
  }

  replace(resource: string, object: KubeObject): KubeObject {
    return this.#put("MODIFIED", resource, object);
  }

  /** As a controller does: reads, changes, writes, with nobody in between. */
  update(resource: string, namespace: string, name: string, change: (object: KubeObject) => KubeObject): KubeObject {
    const object = this.get(resource, namespace, name);
    if (object === undefined) throw new Error(`no ${resource} ${namespace}/${name}`);
    return this.replace(resource, change(object));
  }

  delete(resource: string, namespace: string, name: string): void {
    const object = this.get(resource, namespace, name);
    if (object === undefined) return;
    this.#objects.delete(`${resource}|${namespace}|${name}`);
    this.#tell("DELETED", resource, object);
  }

  /** Events after a version; undefined = it is too old to tell. */
  since(resource: string, version: number): readonly StoreEvent[] | undefined {
    const oldest = this.#compacted;
    return version < oldest ? undefined : this.#events.filter((e) => e.resource === resource && e.version > version);
  }

  #compacted = 0;

  /** Forgets the past, as etcd does every five minutes: watches from before answer 410. */
  compact(): void {
    this.#version += 1;
    this.#compacted = this.#version;
    this.#events = [];
  }

  listen(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(type: "ADDED" | "MODIFIED", resource: string, object: KubeObject): KubeObject {
    return this.#tell(type, resource, object);
  }

  #tell(type: StoreEvent["type"], resource: string, before: KubeObject): KubeObject {
    this.#version += 1;
    const object: KubeObject = { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } };
    const { namespace, name } = object.metadata;
    if (type !== "DELETED") this.#objects.set(`${resource}|${namespace}|${name}`, object);
    const event = { type, version: this.#version, resource, object };
    this.#events.push(event);
    for (const listener of this.#listeners) listener(event);
    return object;
  }
}
