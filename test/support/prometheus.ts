import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";

export interface PrometheusOptions {
  /** What to scrape: `url` is the address of the metrics page. */
  readonly scrape: readonly { readonly job: string; readonly url: string; readonly labels?: Readonly<Record<string, string>> }[];
  /** Paths of rule files. */
  readonly rules?: readonly string[];
  readonly scrapeInterval?: string;
  readonly evaluationInterval?: string;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ScrapeTarget {
  readonly job: string;
  readonly health: string;
  readonly lastError: string;
}

export interface RuleHealth {
  readonly name: string;
  readonly health: string;
  readonly lastError: string;
}

export interface Prometheus {
  readonly url: string;
  readonly pid: number;
  /** An instant query; throws with Prometheus's own message when the expression is refused. */
  query(expression: string): Promise<Sample[]>;
  targets(): Promise<ScrapeTarget[]>;
  rules(): Promise<RuleHealth[]>;
  /** Ends this process and removes its data. */
  stop(): Promise<void>;
}

const vector = z.object({
  resultType: z.literal("vector"),
  result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
});
const scalar = z.object({ resultType: z.enum(["scalar", "string"]), result: z.tuple([z.number(), z.string()]) });
const targetsAnswer = z.object({
  activeTargets: z.array(z.object({ labels: z.record(z.string(), z.string()), health: z.string(), lastError: z.string() })),
});
const rulesAnswer = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ name: z.string(), health: z.string(), lastError: z.string().default("") })) })),
});
const answer = z.object({ status: z.string(), data: z.unknown().optional(), error: z.string().optional() });

/** Starts a real Prometheus on a free loopback port and waits until it is ready. */
export async function startPrometheus(binary: string, options: PrometheusOptions): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "fulcrum-prometheus-"));
  const config = join(folder, "prometheus.yml");
  await writeFile(config, stringify(configuration(options)));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
  ];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  // Bounded: only the end is of use in an error message.
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(url, child);
  } catch (cause) {
    await stop();
    throw new Error(`Prometheus did not start: ${log}`, { cause });
  }
  return {
    url,
    pid: child.pid ?? 0,
    query: (expression) => query(url, expression),
    targets: () => targets(url),
    rules: () => rules(url),
    stop,
  };
}

function configuration(options: PrometheusOptions): object {
  return {
    global: { scrape_interval: options.scrapeInterval ?? "1s", evaluation_interval: options.evaluationInterval ?? "1s" },
    rule_files: options.rules ?? [],
    scrape_configs: options.scrape.map(({ job, url, labels }) => {
      const at = new URL(url);
      return {
        job_name: job,
        scheme: at.protocol.slice(0, -1),
        metrics_path: at.pathname === "/" ? "/metrics" : at.pathname,
        // As on Kubernetes: the namespace and pod in our series are the engine's, not the exporter's.
        honor_labels: true,
        static_configs: [{ targets: [at.host], ...(labels === undefined ? {} : { labels }) }],
      };
    }),
  };
}

async function api<T>(url: string, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
  const body = answer.parse(await response.json());
  if (body.status !== "success") throw new Error(`Prometheus refused ${decodeURIComponent(path)}: ${body.error ?? "no reason given"}`);
  return schema.parse(body.data);
}

async function query(url: string, expression: string): Promise<Sample[]> {
  const data = await api(url, `query?query=${encodeURIComponent(expression)}`, z.union([vector, scalar]));
  if (data.resultType !== "vector") return [{ labels: {}, value: Number(data.result[1]) }];
  return data.result.map((row) => ({ labels: row.metric, value: toNumber(row.value[1]) }));
}

/** Prometheus writes infinities as +Inf and -Inf. */
const toNumber = (text: string): number => Number(text.replace("Inf", "Infinity"));

const targets = async (url: string): Promise<ScrapeTarget[]> =>
  (await api(url, "targets?state=active", targetsAnswer)).activeTargets.map((t) => ({
    job: t.labels["job"] ?? "",
    health: t.health,
    lastError: t.lastError,
  }));

const rules = async (url: string): Promise<RuleHealth[]> => (await api(url, "rules", rulesAnswer)).groups.flatMap((group) => group.rules);

async function ready(url: string, child: ChildProcess): Promise<void> {
  // Two cores shared with other tests: a cold start has taken seconds.
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`exited with ${child.exitCode ?? child.signalCode}`);
    const up = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (up) return;
    await sleep(100);
  }
  throw new Error("not ready after 30 s");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(timer);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
