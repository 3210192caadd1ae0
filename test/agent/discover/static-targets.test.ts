import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseTargets } from "../../../agent/config-targets.ts";
import { followTargets } from "../../../agent/discover/static-targets.ts";
import type { TargetsFile } from "../../../core/targets.ts";
import { engineTarget } from "../support/agent.ts";
import { until } from "../support/until.ts";

let directory: string;
let stop: AbortController;
let accepted: TargetsFile[];
let problems: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fulcrum-targets-"));
  [stop, accepted, problems] = [new AbortController(), [], []];
});
afterEach(async () => {
  stop.abort();
  await rm(directory, { recursive: true, force: true });
});

const follow = (path: string): Promise<void> =>
  followTargets({
    ...{ path, node: "n", signal: stop.signal },
    onTargets: (t) => accepted.push(t),
    onProblem: (p) => problems.push(p),
    onGood: () => undefined,
  });
const text = (...pods: string[]): string =>
  JSON.stringify({ node: "n", engines: pods.map((pod) => engineTarget("http://x/", { pod })), gpus: [] });
const pods = (): string | undefined =>
  accepted
    .at(-1)
    ?.engines.map((e) => e.pod)
    .join();

describe("following the targets file", () => {
  it("takes each content once, however often the file is written", async () => {
    const path = join(directory, "targets.json");
    await writeFile(path, text("a"));
    await follow(path);
    expect(pods()).toBe("a");
    for (let i = 0; i < 5; i++) {
      await writeFile(`${path}.new`, text("a", "b"));
      await rename(`${path}.new`, path);
    }
    await until("the new content", () => pods() === "a,b");
    await writeFile(`${path}.new`, text("c"));
    await rename(`${path}.new`, path);
    await until("the last content", () => pods() === "c");
    expect(accepted).toHaveLength(3);
    expect(problems).toEqual([]);
  });

  it("sees every swap of a ConfigMap mount's symlinks", async () => {
    const path = join(directory, "targets.json");
    const mount = async (version: string, content: string): Promise<void> => {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, "targets.json"), content);
      await symlink(version, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    await mount("..v1", text("v1"));
    await symlink("..data/targets.json", path);
    await follow(path);
    expect(pods()).toBe("v1");
    for (const version of ["v2", "v3", "v4"]) {
      await mount(`..${version}`, text(version));
      await until(version, () => pods() === version);
    }
  });

  it("keeps the last good content over a bad file and a missing one, and takes the next good one", async () => {
    const path = join(directory, "targets.json");
    await follow(path);
    expect(problems).toEqual([`${path}: does not exist`]);
    await writeFile(path, text("a"));
    await until("the first content", () => pods() === "a");
    await writeFile(path, "{");
    await until("a problem", () => problems.some((p) => p.includes("not JSON")));
    await unlink(path);
    await until("a missing file", () => problems.filter((p) => p.includes("does not exist")).length > 1);
    expect(pods()).toBe("a");
    await writeFile(path, text("b"));
    await until("the next content", () => pods() === "b");
  });
});

describe("a targets file", () => {
  const engine = engineTarget("http://x/");
  const problem = (file: unknown): string => {
    const parsed = parseTargets(typeof file === "string" ? file : JSON.stringify(file), "n");
    return parsed.ok ? "accepted" : parsed.error;
  };
  it.each<[string, unknown, RegExp]>([
    ["no JSON", "[", /^not JSON: /],
    ["another shape", [], /^file: /],
    ["a missing field", { node: "n", engines: [{ ...engine, role: undefined }], gpus: [] }, /^engines\.0\.role: /],
    ["an unknown engine", { node: "n", engines: [{ ...engine, engine: "tgi" }], gpus: [] }, /^engines\.0\.engine: .*"vllm"/],
    ["another node's", { node: "m", engines: [], gpus: [] }, /^node: the file is for "m", this agent runs as "n"$/],
    ["one pod twice", { node: "n", engines: [engine, engine], gpus: [] }, /^engines\.1\.pod: "ns\/decode-0" is listed twice$/],
    [
      "one pool in two roles",
      { node: "n", engines: [engine, { ...engine, pod: "b", role: "prefill" }], gpus: [] },
      /^engines\.1: pool "ns\/decode" is \(decode, /,
    ],
    [
      "too many replicas",
      { node: "n", engines: Array.from({ length: 257 }, (_, i) => ({ ...engine, pod: `p${i}` })), gpus: [] },
      /257 replicas here, at most 256/,
    ],
    [
      "too many pools",
      { node: "n", engines: Array.from({ length: 65 }, (_, i) => ({ ...engine, pod: `p${i}`, pool: `p${i}` })), gpus: [] },
      /^engines: 65 pools, at most 64/,
    ],
  ])("with %s is refused and says why", (_, file, message) => expect(problem(file)).toMatch(message));
});
