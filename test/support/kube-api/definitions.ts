import type { Structural } from "../../../scripts/crd/structural.ts";
import { unboundedLoops } from "../openapi.ts";
import type { ServedKind } from "./kinds.ts";
import type { KeptFields } from "./prune.ts";
import { status, type Answer } from "./respond.ts";

interface Definition {
  readonly group: string;
  readonly names: { readonly kind: string; readonly plural: string };
  readonly versions: readonly {
    readonly name: string;
    readonly schema: { readonly openAPIV3Schema: KeptFields & Structural };
    readonly subresources?: {
      readonly status?: object;
      readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath?: string };
    };
  }[];
}

/** Why a definition is refused, as far as the tests' own could be. */
export function definitionProblem(body: Readonly<Record<string, unknown>>): Answer | undefined {
  const versions = (body["spec"] as Partial<Definition> | undefined)?.versions ?? [];
  const at = versions.findIndex(({ schema }) => (schema as Definition["versions"][0]["schema"] | undefined)?.openAPIV3Schema === undefined);
  if (at >= 0) return status(422, "Invalid", `spec.versions[${at}].schema.openAPIV3Schema: Required value: schemas are required`);
  const [costly] = versions.flatMap(({ schema }) => unboundedLoops(schema.openAPIV3Schema));
  return costly === undefined ? undefined : status(422, "Invalid", `${costly}: Forbidden: estimated rule cost exceeds budget`);
}

/** The kinds that a CustomResourceDefinition adds, with the scale paths it publishes. */
export function definedBy(body: Readonly<Record<string, unknown>>): readonly ServedKind[] {
  const { group, names, versions } = body["spec"] as Definition;
  const path = (text: string): string => text.replace(/^\./, "");
  return versions.map(({ name, subresources, schema }): ServedKind => {
    const scale = subresources?.scale;
    return {
      ...{ group, version: name, kind: names.kind, plural: names.plural, status: subresources?.status !== undefined },
      schema: schema.openAPIV3Schema,
      ...(scale === undefined
        ? {}
        : {
            scale: {
              spec: path(scale.specReplicasPath),
              status: path(scale.statusReplicasPath),
              selector: path(scale.labelSelectorPath ?? ""),
            },
          }),
    };
  });
}
