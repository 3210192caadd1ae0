import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchPolicies, type PolicyFile, type PolicyWatch } from "../../../scaler/policy/watch.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { until } from "../support/wait.ts";

let directory: string;
let watching: PolicyWatch | undefined;
let changes: (readonly PolicyFile[])[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fulcrum-policies-"));
  changes = [];
});
afterEach(async () => {
  watching?.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(path: string): Promise<PolicyWatch> {
  watching = await watchPolicies({
    path,
    debounce: 20,
    // Long, so that what these tests see came through events.
    poll: 3_600_000,
    onChange: (_, changed) => changes.push(changed),
    onError: (error) => expect.fail(String(error)),
  });
  return watching;
}

const budget = (gpus: number): string => POLICY_TEXT.replace("gpus: 8", `gpus: ${gpus}`);
const gpusOf = (watch: PolicyWatch): (number | undefined)[] => watch.files().flatMap((f) => f.policies.map((p) => p.spec.budget.gpus));

/** Not of the moment in which a file that is being written is still empty. */
const written = ({ code }: { readonly code: string }): boolean => code !== "POLICY_EMPTY";

describe("watching policies", () => {
  test("an edit replaces the policies, an invalid one keeps the last good ones and says what is wrong", async () => {
    const file = join(directory, "policy.yaml");
    await writeFile(file, budget(8));
    const watch = await start(file);
    expect(gpusOf(watch)).toEqual([8]);

    await writeFile(file, budget(9));
    await until("the edit", () => (gpusOf(watch)[0] === 9 ? true : undefined));

    await writeFile(file, budget(9).replace("mode: enforce", "mode: enforced"));
    const bad = await until("the problem", () => watch.files().find((f) => f.problems.some(written)));
    expect(bad.problems[0]).toMatchObject({ line: 5, column: 9, code: "POLICY_VALUE" });
    expect(gpusOf(watch)).toEqual([9]);

    await writeFile(file, budget(7));
    await until("the mend", () => (gpusOf(watch)[0] === 7 ? true : undefined));
    expect(watch.files()[0]?.problems).toEqual([]);
  });

  test("a ConfigMap's symlink swap is seen, twice", async () => {
    // As the kubelet mounts it: files are links through ..data, and ..data is replaced by a rename.
    const swap = async (name: string, text: string): Promise<void> => {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "policy.yaml"), text);
      await symlink(name, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    await swap("..v1", budget(1 + 1));
    await symlink(join("..data", "policy.yaml"), join(directory, "policy.yaml"));
    const watch = await start(directory);
    expect(gpusOf(watch)).toEqual([2]);
    for (const gpus of [3, 4]) {
      await swap(`..v${gpus}`, budget(gpus));
      await until("the swap", () => (gpusOf(watch)[0] === gpus ? true : undefined));
    }
    expect(gpusOf(watch)).toEqual([4]);
  });

  test("files come and go; what is no policy file is not read; a touched file is no change", async () => {
    await writeFile(join(directory, "a.yaml"), budget(8));
    await writeFile(join(directory, "notes.txt"), "not a policy");
    await writeFile(join(directory, ".hidden.yaml"), "not a policy");
    const watch = await start(directory);
    expect(watch.files().map((f) => f.file)).toEqual([join(directory, "a.yaml")]);
    await writeFile(join(directory, "b.yml"), budget(5).replace("name: test", "name: other"));
    await until("the second file", () => (watch.files().length === 2 ? true : undefined));
    await rm(join(directory, "b.yml"));
    await until("its end", () => (watch.files().length === 1 ? true : undefined));
    // The reading that saw the end is over, and told.
    await watch.refresh();
    const before = changes.length;
    await writeFile(join(directory, "a.yaml"), budget(8));
    await watch.refresh();
    expect(changes.length).toBe(before);
  });

  test("the scaler needs targets", async () => {
    const file = join(directory, "policy.yaml");
    await writeFile(file, POLICY_TEXT.replace(/^ {6}target: .*name: decode.*$/m, "      gpusPerReplica: 1"));
    const watch = await start(file);
    expect(watch.files()[0]?.problems.map((p) => p.code)).toEqual(["POLICY_NO_TARGET"]);
    expect(watch.files()[0]?.policies).toEqual([]);
  });
});
