import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { scalerSettingsSchema, type ScalerSettings } from "../../../scaler/config.ts";
import type { ControllerKit } from "../../../scaler/loop/kit.ts";
import { runWith } from "../../../scaler/main.ts";
import { countKit } from "./count-controller.ts";
import { listLog, type ListLog } from "./log.ts";
import { POLICY_TEXT } from "./policy.ts";

/** A real scaler process part in this process: real sockets, real files in a directory of its own. */
export interface RunningScaler {
  readonly url: string;
  readonly ws: string;
  readonly directory: string;
  readonly policyFile: string;
  readonly log: ListLog;
  /** 0 where KEDA's port is off. */
  kedaPort(): number;
  get(path: string): Promise<Response>;
  json<T>(path: string): Promise<T>;
  /** Stops it; the directory stays until `remove`. */
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export interface RunOptions {
  readonly settings?: Partial<ScalerSettings>;
  readonly policy?: string;
  /** Start in the directory of one that ran before. */
  readonly directory?: string;
  readonly kit?: ControllerKit<never>;
}

/** Also of scalers that could not start, whose directory nobody got to know. */
const directories = new Set<string>();
afterAll(() => Promise.all([...directories].map((directory) => rm(directory, { recursive: true, force: true }))));

export async function runTestScaler(options: RunOptions = {}): Promise<RunningScaler> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "fulcrum-scaler-")));
  directories.add(directory);
  const policyFile = join(directory, "policy.yaml");
  if (options.directory === undefined) await writeFile(policyFile, options.policy ?? POLICY_TEXT);
  const log = listLog();
  const abort = new AbortController();
  const settings = scalerSettingsSchema.parse({
    port: 0,
    policies: policyFile,
    journal: join(directory, "journal"),
    webRoot: join(directory, "web"),
    ...options.settings,
  });
  const kit = (options.kit ?? countKit) as ControllerKit<never>;
  const done = { running: Promise.resolve() };
  let kedaPort = 0;
  const onKedaListening = (port: number): void => void (kedaPort = port);
  const port = await new Promise<number>((resolve, reject) => {
    done.running = runWith(kit, settings, abort.signal, log, { onListening: resolve, onKedaListening });
    done.running.catch(reject);
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    ws: `ws://127.0.0.1:${port}`,
    directory,
    policyFile,
    log,
    kedaPort: () => kedaPort,
    get: (path) => fetch(`${url}${path}`),
    json: async <T>(path: string) => (await (await fetch(`${url}${path}`)).json()) as T,
    async stop() {
      abort.abort();
      await done.running;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
