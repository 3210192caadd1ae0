import { createServer, type AddressInfo } from "node:net";
import { request } from "node:https";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "./build.ts";
import { makeCertificates } from "./certificates.ts";
import { openProcesses } from "./processes.ts";

export interface ControlPlane {
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** Where etcd answers, also in JSON. */
  readonly etcd: string;
  /** A line per request of Fulcrum's own service accounts, as the API server judged it (audit.k8s.io/v1). */
  readonly audit: string;
  /** Ends the API server and starts it anew: what it remembered for watches is gone. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const NODES = ["node-a", "node-b"];

const AUDIT = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - { level: Metadata, userGroups: ["system:serviceaccounts:fulcrum"] }
  - { level: None }
`;

/** etcd, API server, controllers, scheduler and two nodes without containers; loopback only, free ports, own certificates. */
export async function startControlPlane(programs: Readonly<Record<Program, string>>): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), "fulcrum-real-cluster-"));
  const [client, peer, secure, controllers, scheduler] = await freePorts(5);
  const etcd = `http://127.0.0.1:${client}`;
  const server = `https://127.0.0.1:${secure}`;
  const audit = join(folder, "audit.log");
  const certificates = makeCertificates(folder);
  const processes = openProcesses(folder);
  const start = (name: string, program: Program, args: Readonly<Record<string, string>>): void =>
    processes.start(
      name,
      programs[program],
      Object.entries(args).map(([flag, value]) => `--${flag}=${value}`),
    );
  const stop = async (): Promise<void> => {
    await processes.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const peers = `http://127.0.0.1:${peer}`;
    start("etcd", "etcd", {
      ...{ "data-dir": join(folder, "etcd"), "unsafe-no-fsync": "true", name: "a" },
      ...{ "listen-client-urls": etcd, "advertise-client-urls": etcd },
      ...{ "listen-peer-urls": peers, "initial-advertise-peer-urls": peers, "initial-cluster": `a=${peers}` },
    });
    const admin = certificates.kubeconfig("admin", "admin", ["system:masters"], server);
    writeFileSync(join(folder, "audit.yaml"), AUDIT);
    const serve = async (): Promise<void> => {
      start("kube-apiserver", "kube-apiserver", {
        ...{ "audit-policy-file": join(folder, "audit.yaml"), "audit-log-path": audit },
        ...{ "etcd-servers": etcd, "bind-address": "127.0.0.1", "advertise-address": "127.0.0.1", "secure-port": String(secure) },
        ...{ "tls-cert-file": certificates.serverCert, "tls-private-key-file": certificates.serverKey, "client-ca-file": certificates.ca },
        ...{ "service-account-key-file": certificates.accountKey, "service-account-signing-key-file": certificates.accountKey },
        ...{ "service-account-issuer": "https://kubernetes.default.svc.cluster.local", "service-cluster-ip-range": "10.96.0.0/16" },
        ...{ "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction" },
        // The Service `kubernetes` would lead to a loopback address, which no endpoint may.
        "endpoint-reconciler-type": "none",
      });
      await processes.until("the API server", () => isReady(server, certificates.ca));
    };
    await serve();
    start("kube-controller-manager", "kube-controller-manager", {
      kubeconfig: certificates.kubeconfig("controllers", "system:kube-controller-manager", [], server),
      ...{ "bind-address": "127.0.0.1", "secure-port": String(controllers), "leader-elect": "false" },
      ...{ "service-account-private-key-file": certificates.accountKey, "root-ca-file": certificates.ca },
      "use-service-account-credentials": "true",
    });
    start("kube-scheduler", "kube-scheduler", {
      kubeconfig: certificates.kubeconfig("scheduler", "system:kube-scheduler", [], server),
      ...{ "bind-address": "127.0.0.1", "secure-port": String(scheduler), "leader-elect": "false" },
    });
    for (const name of NODES)
      start(name, "node", { kubeconfig: certificates.kubeconfig(name, `system:node:${name}`, ["system:nodes"], server), name, gpus: "8" });
    const restart = async (): Promise<void> => {
      await processes.end("kube-apiserver");
      await serve();
    };
    return { kubeconfig: admin, etcd, audit, restart, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** /readyz is open to everybody. */
function isReady(server: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(`${server}/readyz`, { ca: readFileSync(ca), timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

/** Held all at once, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port); // it listens on a port
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
