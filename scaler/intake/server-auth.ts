import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { err, ok, type Result } from "../../core/result.ts";

/** Says whether an `authorization` header may open the agents' link. */
export type Authorize = (header: string | undefined) => boolean;

/** One token per line; empty lines and lines that begin with # say nothing. Several are valid at once, so that they can be changed. */
const MAX_TOKENS = 1000;
const MAX_BYTES = 256 * 1024;

export function parseTokens(text: string): Result<readonly string[], string> {
  if (text.length > MAX_BYTES) return err("over 256 KiB; it holds one token per line");
  const lines = text.split("\n").map((line) => line.trim());
  const tokens = lines.filter((line) => line !== "" && !line.startsWith("#"));
  // An empty file must not open the link to everybody.
  if (tokens.length === 0) return err("holds no token; write one per line");
  if (tokens.length > MAX_TOKENS) return err(`holds ${tokens.length} tokens, at most ${MAX_TOKENS} are taken`);
  const odd = tokens.findIndex((token) => /\s/.test(token));
  return odd < 0 ? ok(tokens) : err(`token ${odd + 1} has a space in it; write one token per line`);
}

/** Undefined tokens = everybody may. Digests of equal length, every token compared: the time taken tells nothing about them. */
export function authorizer(tokens: readonly string[] | undefined): Authorize {
  if (tokens === undefined) return () => true;
  const known = tokens.map((token) => digest(`Bearer ${token}`));
  return (header) => {
    const given = digest(header ?? "");
    let found = false;
    for (const one of known) found = timingSafeEqual(given, one) || found;
    return found;
  };
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export interface TokenFile {
  readonly authorize: Authorize;
  /** Reads again now; a timer does it by itself. */
  refresh(): Promise<void>;
  close(): void;
}

export interface TokenFileOptions {
  readonly path: string;
  /** Valid besides those of the file. */
  readonly also: readonly string[];
  readonly onProblem: (message: string) => void;
  readonly seconds?: number;
}

/** Tokens from a file that is looked at again: a Secret that was changed needs no restart. A bad edit keeps the last good tokens. */
export async function openTokenFile({ path, also, onProblem, seconds = 10 }: TokenFileOptions): Promise<Result<TokenFile, string>> {
  const first = await readTokens(path);
  if (!first.ok) return first;
  let authorize = authorizer([...first.value, ...also]);
  let told: string | undefined;
  async function refresh(): Promise<void> {
    const next = await readTokens(path);
    const problem = next.ok ? undefined : next.error;
    if (problem !== undefined && problem !== told) onProblem(problem);
    told = problem;
    if (next.ok) authorize = authorizer([...next.value, ...also]);
  }
  const timer = setInterval(() => void refresh(), seconds * 1000);
  timer.unref();
  return ok({ authorize: (header) => authorize(header), refresh, close: () => clearInterval(timer) });
}

async function readTokens(path: string): Promise<Result<readonly string[], string>> {
  const text = await readFile(path, "utf8").catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  if (typeof text !== "string") return err(`${path}: cannot be read: ${text.message}`);
  const tokens = parseTokens(text);
  return tokens.ok ? tokens : err(`${path}: ${tokens.error}`);
}
