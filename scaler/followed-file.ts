import { readFile } from "node:fs/promises";
import { err, ok, type Result } from "../core/result.ts";

/** What a small file says, looked at again and again: a Secret that was changed needs no restart. */
export interface FollowedFile<T> {
  now(): T;
  /** Reads again now; a timer does it by itself. */
  refresh(): Promise<void>;
  close(): void;
}

export interface FollowOptions<T> {
  readonly path: string;
  readonly parse: (text: string) => Result<T, string>;
  /** Once, until it is another or over. */
  readonly onProblem: (message: string) => void;
  readonly seconds?: number | undefined;
  /** What it says is another than before. */
  readonly onChange?: (now: T) => void;
}

/** An error where it cannot be used at the start; a bad edit later keeps what was good last. */
export async function followFile<T>({
  path,
  parse,
  onProblem,
  seconds = 10,
  onChange,
}: FollowOptions<T>): Promise<Result<FollowedFile<T>, string>> {
  const first = await readAs(path, parse);
  if (!first.ok) return first;
  let now = first.value;
  let told: string | undefined;
  async function refresh(): Promise<void> {
    const next = await readAs(path, parse);
    const problem = next.ok ? undefined : next.error;
    if (problem !== undefined && problem !== told) onProblem(problem);
    told = problem;
    if (!next.ok || Object.is(next.value, now)) return;
    now = next.value;
    onChange?.(now);
  }
  const timer = setInterval(() => void refresh(), seconds * 1000);
  timer.unref();
  return ok({ now: () => now, refresh, close: () => clearInterval(timer) });
}

async function readAs<T>(path: string, parse: (text: string) => Result<T, string>): Promise<Result<T, string>> {
  const text = await readFile(path, "utf8").catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  if (typeof text !== "string") return err(`${path}: cannot be read: ${text.message}`);
  const parsed = parse(text);
  return parsed.ok ? parsed : err(`${path}: ${parsed.error}`);
}
