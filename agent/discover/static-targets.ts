import { createHash } from "node:crypto";
import { type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { TargetsFile } from "../../core/targets.ts";
import { parseTargets } from "../config-targets.ts";

/** A node has tens of engines of ~400 bytes each; more than this is not a targets file. */
const MAX_BYTES = 4 * 1024 * 1024;
/** One atomic replacement raises several events. */
const DEBOUNCE_MS = 30;
/** Network file systems and exhausted inotify limits raise no event at all. */
const POLL_MS = 2000;

export interface StaticTargetsOptions {
  readonly path: string;
  readonly node: string;
  readonly signal: AbortSignal;
  /** Called with every accepted content, the first included. */
  onTargets(targets: TargetsFile): void;
  /** Called after each look at a bad or missing file; the last good targets stay in use. */
  onProblem(message: string): void;
  /** Called after each look that found the accepted content in place. */
  onGood(): void;
}

/**
 * Follows the targets file. The DIRECTORY is watched, not the file: a Kubernetes volume swaps a `..data` symlink and an
 * atomic writer renames over the file, and a watch on the file itself is lost with the old inode after the first swap.
 * What decides is the content's hash, so any number of events for one change is harmless. Resolves after the first look.
 */
export async function followTargets(options: StaticTargetsOptions): Promise<void> {
  let accepted: string | undefined;
  let looking: Promise<void> | undefined;
  let again = false;

  const look = async (): Promise<void> => {
    const read = await readBounded(options.path);
    if (options.signal.aborted) return;
    if ("problem" in read) return options.onProblem(`${options.path}: ${read.problem}`);
    const hash = createHash("sha256").update(read.text).digest("hex");
    if (hash === accepted) return options.onGood();
    const parsed = parseTargets(read.text, options.node);
    if (!parsed.ok) return options.onProblem(`${options.path}: ${parsed.error}`);
    accepted = hash;
    options.onTargets(parsed.value);
    options.onGood();
  };
  /** Never two looks at once; a request during one is served after it. */
  const request = (): void => {
    if (looking !== undefined) {
      again = true;
      return;
    }
    looking = look().finally(() => {
      looking = undefined;
      if (again && !options.signal.aborted) {
        again = false;
        request();
      }
    });
  };

  // Watching starts before the first look, so that no change falls between the two.
  if (!options.signal.aborted) keepWatching(dirname(options.path), options.signal, request);
  request();
  await looking;
}

function keepWatching(directory: string, signal: AbortSignal, request: () => void): void {
  let watcher: FSWatcher | undefined;
  let debounce: NodeJS.Timeout | undefined;

  const start = (): void => {
    try {
      watcher = watch(directory, { persistent: false }, () => {
        clearTimeout(debounce);
        debounce = setTimeout(request, DEBOUNCE_MS);
      });
      watcher.on("error", stop);
    } catch {
      // The directory is not there yet or watches are used up: polling goes on and tries again.
      watcher = undefined;
    }
  };
  const stop = (): void => {
    watcher?.close();
    watcher = undefined;
  };

  start();
  const poll = setInterval(() => {
    if (watcher === undefined) start();
    request();
  }, POLL_MS);
  signal.addEventListener(
    "abort",
    () => {
      clearInterval(poll);
      clearTimeout(debounce);
      stop();
    },
    { once: true },
  );
}

async function readBounded(path: string): Promise<{ readonly text: string } | { readonly problem: string }> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > MAX_BYTES) return { problem: `is ${size} bytes, larger than ${MAX_BYTES}` };
      return { text: await file.readFile("utf8") };
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "ENOENT") return { problem: "does not exist" };
    return { problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
