import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { component, needs } from "../support/components.ts";
import { openDoor } from "../support/kube-api/door.ts";
import { startKubeApi } from "../support/kube-api/server.ts";
import { runCli } from "../support/run-cli.ts";

const kubectl = component("kubectl");

describe.skipIf(kubectl === undefined)(`fulcrum doctor --kubeconfig ${needs("kubectl")}`, () => {
  test("says from outside of the cluster who leads, and nothing of a node that was not named", async () => {
    const api = await startKubeApi();
    onTestFinished(() => api.close());
    const door = await openDoor(api.url);
    onTestFinished(() => door.close());
    const folder = mkdtempSync(join(tmpdir(), "fulcrum-lease-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "config");
    const config = {
      ...{ apiVersion: "v1", kind: "Config", "current-context": "c", users: [{ name: "u", user: {} }] },
      ...{ contexts: [{ name: "c", context: { cluster: "c", user: "u" } }], clusters: [{ name: "c", cluster: { server: door.url } }] },
    };
    writeFileSync(file, JSON.stringify(config));
    const env = { FULCRUM_KUBECTL: kubectl ?? "", HOME: folder };
    const doctor = (...args: string[]) => runCli(["doctor", "--kubeconfig", file, ...args], { env });

    expect(await doctor()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^warn lease fulcrum\/fulcrum-scaler: there is none/) as string,
    });
    const spec = { holderIdentity: "scaler-0_0b9f1d1e-0000-4000-8000-000000000000", acquireTime: "2026-01-01T00:00:00.000000Z" };
    const metadata = { name: "other", namespace: "llm" };
    const lease = api.store.create("leases.coordination.k8s.io", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
    const renew = setInterval(() => api.store.replace("leases.coordination.k8s.io", lease), 200);
    onTestFinished(() => clearInterval(renew));
    const { code, stdout } = await doctor("--lease", "other", "--lease-namespace", "llm", "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      {
        healthy: true,
        findings: [{ code: "lease", severity: "ok", text: "scaler-0 leads since 2026-01-01T00:00:00.000000Z, and renews it" }],
      },
    ]);
    api.fault = ({ resource }) =>
      resource === "leases"
        ? { status: 403, body: { kind: "Status", status: "Failure", reason: "Forbidden", message: "no", code: 403 } }
        : undefined;
    const refused = await doctor();
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("your account may not read leases there")]);
  }, 60_000);
});
