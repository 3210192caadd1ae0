import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { matchesLabels } from "./patch.ts";
import type { KubeApiServer } from "./server.ts";
import type { KubeObject } from "./store.ts";

/**
 * A node in small: runs the containers of pods as processes of this machine, from the bundle that the image is made of. What a cluster gives
 * a pod, this gives it: its own loopback address, variables, mounted files, names of Services, the API server, SIGTERM and restarts.
 */
export interface TestNode {
  /** Processes that run now, as pod names. */
  running(): readonly string[];
  /** What a pod's process said. */
  said(pod: string): string;
  /** Ends every process and forgets its files. */
  stop(): Promise<void>;
}

interface Container {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly automountServiceAccountToken?: boolean;
  readonly serviceAccountName?: string;
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly projected?: {
      readonly sources: readonly { readonly serviceAccountToken?: { readonly audience: string; readonly path: string } }[];
    };
  }[];
}

interface Run {
  child: ChildProcess | undefined;
  said: string;
  ending: boolean;
  readonly timers: Set<NodeJS.Timeout>;
}

const PROBE_MS = 200;
const RESTART_MS = 500;

/** An address of the loopback network that no other test of this machine has, likely. */
export function addresses(): () => string {
  const [a, b] = [1 + Math.floor(Math.random() * 250), Math.floor(Math.random() * 250)];
  let next = 1;
  return () => `127.${a}.${b}.${next++}`;
}

export function startNode(server: KubeApiServer, dist: string): TestNode {
  const { store } = server;
  const files = mkdtempSync(join(tmpdir(), "fulcrum-node-"));
  writeFileSync(join(files, "token"), server.token);
  const runs = new Map<string, Run>();
  const key = ({ metadata: { namespace, name } }: KubeObject): string => `${namespace}/${name}`;
  const later = (run: Run, ms: number, what: () => void): void => {
    const timer = setTimeout(() => {
      run.timers.delete(timer);
      what();
    }, ms);
    run.timers.add(timer);
  };

  /** `http://fleet:8901` → the address of a pod behind the Service; undefined = there is none yet. */
  function resolved(text: string, namespace: string): string | undefined {
    const [, name = ""] = /^\w+:\/\/([a-z0-9-]+):\d+/.exec(text) ?? [];
    const service = store.get("services.", namespace, name);
    if (service === undefined) return text;
    const selector = Object.entries(service.spec?.["selector"] as Readonly<Record<string, string>>)
      .map(([label, value]) => `${label}=${value}`)
      .join(",");
    const pod = store.list("pods.", namespace).find((p) => matchesLabels(p.metadata["labels"], selector));
    const ip = pod?.status?.["podIP"];
    return typeof ip === "string" ? text.replace(`//${name}:`, `//${ip}:`) : undefined;
  }

  function environment(pod: KubeObject, { env = [] }: Container, mounted: (text: string) => string): Record<string, string> | undefined {
    const ip = String(pod.status?.["podIP"]);
    const fields: Readonly<Record<string, string>> = {
      "metadata.name": pod.metadata.name,
      "metadata.namespace": pod.metadata.namespace,
      "spec.nodeName": String(pod.spec?.["nodeName"]),
      "status.podIP": ip,
    };
    const made: Record<string, string> = {};
    for (const { name, value = "", valueFrom } of env) {
      const given = valueFrom?.fieldRef === undefined ? value : (fields[valueFrom.fieldRef.fieldPath] ?? "");
      const filled = given.replaceAll(/\$\((\w+)\)/g, (whole, other: string) => made[other] ?? whole);
      // All addresses of a pod are its one.
      const full = resolved(filled === "0.0.0.0" ? ip : mounted(filled), pod.metadata.namespace);
      if (full === undefined) return undefined;
      made[name] = full;
    }
    return made;
  }

  /** A token of the pod's account, for that audience and bound to its node: what the API server says of it when it is asked. */
  function issued({ metadata, spec }: KubeObject, { serviceAccountName = "default" }: PodSpec, audience: string): string {
    const token = `${metadata.namespace}.${metadata.name}.${audience}`;
    const username = `system:serviceaccount:${metadata.namespace}:${serviceAccountName}`;
    server.tokens.set(token, { username, audiences: [audience], node: String(spec?.["nodeName"]) });
    return token;
  }

  /** Files of the pod's volumes on this machine; answers with how a path in the container reads here. */
  function mount(pod: KubeObject, spec: PodSpec): (text: string) => string {
    const root = join(files, pod.metadata.name);
    const ip = String(pod.status?.["podIP"]);
    const pairs = (spec.containers[0].volumeMounts ?? []).map(({ name, mountPath }) => {
      const folder = join(root, name);
      mkdirSync(folder, { recursive: true });
      const volume = spec.volumes?.find((v) => v.name === name);
      const map = volume?.configMap?.name;
      const data = map === undefined ? undefined : store.get("configmaps.", pod.metadata.namespace, map)?.["data"];
      for (const [file, text] of Object.entries((data ?? {}) as Readonly<Record<string, string>>))
        writeFileSync(join(folder, file), text.replaceAll("0.0.0.0", ip));
      for (const { serviceAccountToken } of volume?.projected?.sources ?? [])
        if (serviceAccountToken !== undefined)
          writeFileSync(join(folder, serviceAccountToken.path), issued(pod, spec, serviceAccountToken.audience));
      return [mountPath, folder] as const;
    });
    return (text) =>
      pairs.reduce((all, [from, to]) => (all === from || all.startsWith(`${from}/`) ? to + all.slice(from.length) : all), text);
  }

  function begin(pod: KubeObject, run: Run): void {
    if (run.ending) return;
    const spec = pod.spec as unknown as PodSpec;
    const [container] = spec.containers;
    const mounted = mount(pod, spec);
    const env = environment(pod, container, mounted);
    if (env === undefined) return later(run, PROBE_MS, () => begin(pod, run));
    // As the kubelet mounts it where the pod asks for it.
    const account = { FULCRUM_KUBE_API: server.url, FULCRUM_SERVICE_ACCOUNT: files, FULCRUM_KUBECONFIG: server.kubeconfig };
    const words = [...(container.command ?? ["node", "/app/fulcrum.mjs"]), ...(container.args ?? [])];
    const [program = "", ...args] = words.map((word) =>
      word === "node" ? process.execPath : mounted(word.replace(/^\/app\//, `${dist}/`)),
    );
    const child = spawn(program, args, {
      env: { PATH: process.env["PATH"], ...(spec.automountServiceAccountToken === true ? account : {}), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      cwd: dirname(dist),
    });
    run.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (run.said = (run.said + chunk.toString()).slice(-200_000)));
    child.once("exit", () => {
      run.child = undefined;
      ready(pod, false);
      if (run.ending) store.delete("pods.", pod.metadata.namespace, pod.metadata.name);
      else later(run, RESTART_MS, () => begin(pod, run));
    });
    probe(pod, run, container);
  }

  function probe(pod: KubeObject, run: Run, container: Container): void {
    const { httpGet } = container.readinessProbe ?? {};
    if (httpGet === undefined) return ready(pod, true);
    const port = container.ports?.find((p) => p.name === httpGet.port)?.containerPort;
    const url = `http://${String(pod.status?.["podIP"])}:${port ?? 0}${httpGet.path}`;
    const look = async (): Promise<void> => {
      if (run.child === undefined || run.ending) return;
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
      ready(pod, answer?.ok === true);
      later(run, PROBE_MS, () => void look());
    };
    later(run, PROBE_MS, () => void look());
  }

  function ready({ metadata: { namespace, name } }: KubeObject, yes: boolean): void {
    const pod = store.get("pods.", namespace, name);
    if (pod === undefined) return;
    const conditions = [
      { type: "PodScheduled", status: "True" },
      { type: "Ready", status: yes ? "True" : "False" },
    ];
    if (JSON.stringify(pod.status?.["conditions"]) === JSON.stringify(conditions)) return;
    store.update("pods.", namespace, name, (p) => ({ ...p, status: { ...p.status, phase: "Running", conditions } }));
  }

  function end(pod: KubeObject, run: Run): void {
    if (run.ending) return;
    run.ending = true;
    if (run.child === undefined) return store.delete("pods.", pod.metadata.namespace, pod.metadata.name);
    run.child.kill("SIGTERM");
    const grace = Number(pod.spec?.["terminationGracePeriodSeconds"] ?? 30);
    later(run, grace * 1000, () => run.child?.kill("SIGKILL"));
  }

  const unlisten = store.listen(({ type, resource, object }) => {
    if (resource !== "pods.") return;
    const known = runs.get(key(object));
    if (type === "ADDED") {
      const run: Run = { child: undefined, said: "", ending: false, timers: new Set() };
      runs.set(key(object), run);
      later(run, 0, () => begin(object, run));
    } else if (type === "DELETED") for (const timer of known?.timers ?? []) clearTimeout(timer);
    else if (known !== undefined && object.metadata["deletionTimestamp"] !== undefined) queueMicrotask(() => end(object, known));
  });
  return {
    running: () => [...runs].filter(([, run]) => run.child !== undefined).map(([name]) => name),
    said: (pod) =>
      [...runs]
        .filter(([name]) => name.includes(pod))
        .map(([name, run]) => `--- ${name}\n${run.said}`)
        .join("\n"),
    async stop() {
      unlisten();
      const children = [...runs.values()].flatMap((run) => {
        run.ending = true;
        for (const timer of run.timers) clearTimeout(timer);
        return run.child === undefined ? [] : [run.child];
      });
      await Promise.all(
        children.map((child) => {
          const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
          child.kill("SIGKILL");
          return gone;
        }),
      );
      rmSync(files, { recursive: true, force: true });
    },
  };
}
