import { spawn } from "node:child_process";
import { buildCluster } from "./real-cluster/build.ts";
import { openControls } from "./real-cluster/controls.ts";
import { startControlPlane } from "./real-cluster/control-plane.ts";
import { applyDefinitions, VENDORS, type Vendor } from "./real-cluster/definitions.ts";

/**
 * A real Kubernetes API server to test on: etcd, kube-apiserver with RBAC, the controllers and the scheduler of a release that a
 * go.mod of real-cluster names, and nodes whose kubelet is real and whose containers are not. Runs the command it is given with
 * FULCRUM_TEST_KUBECONFIG set, and stops everything when it ends; without a command it stays until it is interrupted.
 */
async function main([program, ...args]: readonly string[]): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`real-cluster: ${line}\n`);
  const { version, programs } = await buildCluster(say);
  const cluster = await startControlPlane(programs);
  const controls = await openControls(cluster);
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(130));
  });
  try {
    const env = {
      ...{ KUBECONFIG: cluster.kubeconfig, FULCRUM_TEST_KUBECONFIG: cluster.kubeconfig, FULCRUM_TEST_CRDS: "install" },
      FULCRUM_TEST_CONTROL_PLANE: controls.url,
    };
    say(`Kubernetes ${version}: KUBECONFIG=${cluster.kubeconfig}`);
    for (const vendor of Object.keys(VENDORS) as Vendor[]) {
      say(`kinds of ${VENDORS[vendor].module}`);
      await applyDefinitions("kubectl", cluster.kubeconfig, vendor);
    }
    // The open controls keep the process.
    if (program === undefined) return await interrupted;
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: "inherit" });
    const ended = new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? 1));
    });
    const code = await Promise.race([ended, interrupted]);
    child.kill("SIGTERM");
    await ended;
    return code;
  } finally {
    controls.close();
    await cluster.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
