import { createHash } from "node:crypto";
import { watch, type FSWatcher } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parsePolicies } from "./load.ts";
import type { PolicyProblem } from "./problem.ts";
import { missingTargets } from "./rules.ts";
import type { Policy } from "./schema.ts";

/** One policy file as it stands on disk, and the policies in use from it. */
export interface PolicyFile {
  readonly file: string;
  /** The last good content; empty when there never was one. */
  readonly policies: readonly Policy[];
  /** What is wrong with the content on disk; empty when it is the one in use. */
  readonly problems: readonly PolicyProblem[];
}

export interface PolicyWatch {
  files(): readonly PolicyFile[];
  /** Reads again now; the watcher calls it by itself. */
  refresh(): Promise<void>;
  close(): void;
}

export interface PolicyWatchOptions {
  readonly path: string;
  /** Called after every change of content, with all files and the ones that changed. */
  readonly onChange: (files: readonly PolicyFile[], changed: readonly PolicyFile[]) => void;
  readonly onError: (error: unknown) => void;
  /** Milliseconds of quiet before a change is read: editors and kubelets write in several steps. */
  readonly debounce?: number;
  /** Milliseconds between looks that need no event: some file systems send none. */
  readonly poll?: number;
}

const MAX_FILES = 1000;

/**
 * Watches a policy file or directory. The directory is watched, never the file: a ConfigMap mount swaps a symlink beside it, and
 * a watch on the file sees only the first swap. A content hash tells changes from noise. An invalid edit keeps the last good
 * policies of its file.
 */
export async function watchPolicies(options: PolicyWatchOptions): Promise<PolicyWatch> {
  const isDirectory = (await stat(options.path)).isDirectory();
  const known = new Map<string, { readonly hash: string; readonly state: PolicyFile }>();
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const files = (): readonly PolicyFile[] => [...known.values()].map((k) => k.state);

  async function read(): Promise<void> {
    const names = isDirectory ? await policyFiles(options.path) : [options.path];
    const changed: PolicyFile[] = [];
    for (const [file, { state }] of known) {
      if (names.includes(file)) continue;
      known.delete(file);
      changed.push({ ...state, policies: [], problems: [] });
    }
    for (const file of names) {
      const text = await readFile(file, "utf8");
      const hash = createHash("sha256").update(text).digest("hex");
      const before = known.get(file);
      if (before?.hash === hash) continue;
      const state = assess(file, text, before?.state);
      known.set(file, { hash, state });
      changed.push(state);
    }
    if (changed.length > 0) options.onChange(files(), changed);
  }

  function refresh(): Promise<void> {
    // One reading at a time; a failure (a file vanished mid-read) is told and the next event tries again.
    running = running.then(read).catch(options.onError);
    return running;
  }

  function soon(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void refresh(), options.debounce ?? 100);
  }

  await read();
  const watcher = watchDirectory(isDirectory ? options.path : dirname(options.path), soon, options.onError);
  const poll = setInterval(() => void refresh(), options.poll ?? 10_000);
  return {
    files,
    refresh,
    close() {
      clearTimeout(timer);
      clearInterval(poll);
      watcher?.close();
    },
  };
}

function assess(file: string, text: string, before: PolicyFile | undefined): PolicyFile {
  const parsed = parsePolicies(text, file);
  if (!parsed.ok) return { file, policies: before?.policies ?? [], problems: parsed.error };
  const untargeted = parsed.value.flatMap((policy) =>
    missingTargets(policy).map(({ code, message }) => ({ file, line: 1, column: 1, code, message: `${policy.metadata.name}: ${message}` })),
  );
  if (untargeted.length > 0) return { file, policies: before?.policies ?? [], problems: untargeted };
  return { file, policies: parsed.value, problems: [] };
}

async function policyFiles(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
  return names.slice(0, MAX_FILES).map((name) => join(directory, name));
}

/** Undefined where the system has no watches left; polling goes on. */
function watchDirectory(directory: string, onEvent: () => void, onError: (error: unknown) => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent);
    watcher.on("error", onError);
    return watcher;
  } catch (error) {
    onError(error);
    return undefined;
  }
}
