import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { GRANTS } from "../../scaler/kube/verbs.ts";

interface Role {
  readonly kind: string;
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

const granted = (file: string): Set<string> =>
  new Set(
    parseAllDocuments(readFileSync(new URL(`../../deploy/${file}`, import.meta.url), "utf8"))
      .map((document) => document.toJS() as Role | null)
      .flatMap((role) => role?.rules ?? [])
      .flatMap(({ apiGroups, resources, verbs }) => apiGroups.flatMap((g) => resources.flatMap((r) => verbs.map((v) => `${v} ${r} ${g}`)))),
  );

test("what the code asks for is granted, and the right to act only where acting is", () => {
  const [base, act] = [granted("base/scaler-rbac.yaml"), granted("components/act/rbac.yaml")];
  const missing = GRANTS.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group}`)).filter(
    (right) => !base.has(right) && !act.has(right),
  );
  expect(missing).toEqual([]);
  const writes = GRANTS.filter((grant) => grant.for === "act").flatMap(({ group, resource, verbs }) =>
    verbs.map((v) => `${v} ${resource} ${group}`),
  );
  expect(writes.filter((right) => right.startsWith("patch") && base.has(right))).toEqual([]);
});
