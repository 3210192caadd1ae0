import type { KubeCall } from "./api.ts";
import type { KubeResource } from "./discovery.ts";
import type { PartKind, Place } from "./parts.ts";

/** Whose fields our changes are, in `metadata.managedFields`. */
export const FIELD_MANAGER = "fulcrum";

/** Which role of an object is meant, and where the object's version keeps it. */
export interface PartRef {
  readonly kind: PartKind;
  readonly place: Place;
  /** Labels of its pods, as parts.ts writes them. */
  readonly selector: string;
  readonly role: string;
}

/** What a pool's replicas are counted by: an object, or one role of it. */
export interface KubeTarget {
  readonly resource: KubeResource;
  readonly namespace: string;
  readonly name: string;
  readonly part?: PartRef;
}

/** A count as it was read, and how to change it on the condition that nothing about its object has changed since. */
export interface Count {
  readonly replicas: number;
  /** Labels of the pods. A controller that has not looked at its object yet has told none. */
  readonly selector: string | undefined;
  /** Counts that the kind refuses to fall below. */
  readonly least?: number | undefined;
  write(to: number): KubeCall;
}

export const targetName = ({ resource, namespace, name, part }: KubeTarget): string =>
  `${part === undefined ? "" : `component ${part.role} of `}${resource.kind} ${namespace}/${name}`;
