import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Structural } from "../../scripts/crd/structural.ts";
import { component, needs } from "../support/components.ts";
import { openDoor, type OpenDoor } from "../support/kube-api/door.ts";
import { KINDS, MANIFEST_KINDS } from "../support/kube-api/kinds.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import { REAL_CLUSTER } from "../support/cluster/real.ts";
import { strictProblems } from "../support/kube-kinds.ts";
import type { KubeObject } from "../support/manifests.ts";
import { violations } from "../support/openapi.ts";
import { stackProblems } from "../support/stacks.ts";

/**
 * `kubectl apply --dry-run=server` of everything under deploy/ that is applied, with strict validation: on the tests' API server, or
 * unchanged on a real cluster. There namespaces and our custom resource that are missing are made, and removed.
 */
const kubectl = component("kubectl");
const root = fileURLToPath(new URL("../..", import.meta.url));
const folders = [
  ...["overlays", "examples"].flatMap((area) => readdirSync(join(root, "deploy", area)).map((name) => `${area}/${name}`)),
  ...["demo", "demo/serving"],
];
const NAMESPACES = ["fulcrum", "serving", "gpu-operator", "fulcrum-demo"];
const CRD = join(root, "deploy/base/crd/scalingpolicies.yaml");

interface Ran {
  readonly code: number;
  readonly out: string;
}

let fake: KubeApiServer | undefined;
let door: OpenDoor | undefined;
let where: { readonly KUBECONFIG: string; readonly SERVER?: string } = { KUBECONFIG: "" };
const undo: string[][] = [];

// Not execFileSync: the API server is this process.
function run(args: readonly string[], input = ""): Promise<Ran> {
  const { KUBECONFIG, SERVER } = where;
  const server = SERVER === undefined ? [] : ["--server", SERVER];
  const child = spawn(kubectl ?? "", [...server, ...args], { env: { ...process.env, KUBECONFIG }, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code: code ?? 1, out })));
}

/** Each kind's fields, as the checks of the manifests have them. */
function problemsOf(object: unknown): readonly string[] {
  const manifest = object as KubeObject; // the server takes none without apiVersion, kind and name
  if (manifest.kind === "ScalingPolicy") {
    const { spec } = parse(readFileSync(CRD, "utf8")) as { spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] } };
    return violations(spec.versions[0].schema.openAPIV3Schema, { ...manifest, metadata: {} });
  }
  const { annotations: _, ...metadata } = manifest.metadata;
  const bare = { ...manifest, metadata };
  return stackProblems(bare) ?? strictProblems(bare);
}

describe.skipIf(kubectl === undefined)(`a server-side dry run ${needs("kubectl")}`, () => {
  beforeAll(async () => {
    fake = REAL_CLUSTER === undefined ? await startKubeApi("secret", [...KINDS, ...MANIFEST_KINDS]) : undefined;
    if (fake !== undefined) fake.validate = problemsOf;
    door = fake === undefined ? undefined : await openDoor(fake.url);
    where = door === undefined ? { KUBECONFIG: REAL_CLUSTER ?? "" } : { KUBECONFIG: "/dev/null", SERVER: door.url };
    for (const namespace of NAMESPACES) {
      if ((await run(["get", "namespace", namespace])).code === 0) continue;
      const object = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      expect(await run(["apply", "--filename", "-"], object)).toMatchObject({ code: 0 });
      undo.push(["delete", "namespace", namespace]);
    }
    if ((await run(["get", "crd", "scalingpolicies.fulcrum.dev"])).code === 0) return;
    expect(await run(["apply", "--filename", CRD])).toMatchObject({ code: 0 });
    undo.push(["delete", "--filename", CRD]);
  }, 120_000);
  afterAll(async () => {
    for (const args of undo.toReversed()) await run(args);
    await door?.close();
    await fake?.close();
  }, 120_000);

  it.each(folders)(
    "takes deploy/%s whole, and keeps nothing",
    async (folder) => {
      const { code, out } = await run(["apply", "--dry-run=server", "--validate=strict", "-k", join(root, "deploy", folder)]);
      const missing = /no matches for kind "(\w+)"/.exec(out)?.[1];
      // A real cluster has not every stack; the tests' own has.
      if (fake === undefined && missing !== undefined) return expect(out).toContain("ensure CRDs are installed first");
      expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/\(server dry run\)/) as string });
      expect(out.split("\n").filter((line) => line !== "" && !line.endsWith("(server dry run)"))).toEqual([]);
      if (fake !== undefined) expect(fake.store.list("deployments.apps", "")).toEqual([]);
    },
    60_000,
  );

  it("refuses a field that a kind does not have, so that what passes means something", async () => {
    if (fake === undefined) return expect(where.KUBECONFIG).not.toBe("");
    const bad = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", namespace: "fulcrum" }, dta: {} };
    const headers = { authorization: "Bearer secret", "content-type": "application/json" };
    const url = `${fake.url}/api/v1/namespaces/fulcrum/configmaps?dryRun=All&fieldValidation=Strict`;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(bad) });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("has no field dta") as string]);
  });
});
