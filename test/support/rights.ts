import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

interface Role {
  readonly kind: string;
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** `verb resource group` of each right that the roles of a file under deploy/ give. */
export function rightsOf(file: string, ...kinds: readonly ("Role" | "ClusterRole")[]): Set<string> {
  const text = readFileSync(new URL(`../../deploy/${file}`, import.meta.url), "utf8");
  return new Set(
    parseAllDocuments(text)
      .map((document) => document.toJS() as Role)
      .filter(({ kind }) => (kinds as readonly string[]).includes(kind))
      .flatMap((role) => role.rules ?? [])
      .flatMap(({ apiGroups, resources, verbs }) => apiGroups.flatMap((g) => resources.flatMap((r) => verbs.map((v) => `${v} ${r} ${g}`)))),
  );
}
