/** A pod as the rules of discovery read it: what its object in the API says, and nothing of what it does. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Unix seconds. */
  readonly createdAt: number;
  /** It was asked to end. */
  readonly deleting: boolean;
  /** Its containers have ended for good; the object stays as a record. */
  readonly ended: boolean;
  readonly ready: boolean;
  /** Missing until it has one. */
  readonly ip?: string;
  /** The controller that made it. */
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly containers: readonly Container[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  /** Command and arguments in order. */
  readonly words: readonly string[];
  /** Variables with a literal value. */
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name?: string; readonly port: number }[];
  /** GPUs, whole ones and slices, that it asks for by name. */
  readonly gpus: number;
}

/** Annotations by which an operator says what a pod's own labels do not, or what they say wrongly. */
export const ANNOTATIONS = {
  role: "fulcrum.dev/role",
  pool: "fulcrum.dev/pool",
  model: "fulcrum.dev/model",
  engine: "fulcrum.dev/engine",
  /** `PORT`, `PORT/PATH`, the name of a port instead of its number, or `false`: leave the pod alone. */
  scrape: "fulcrum.dev/scrape",
} as const;
