import { createHash, timingSafeEqual } from "node:crypto";
import { err, ok, type Result } from "../../core/result.ts";
import { followFile } from "../followed-file.ts";

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

/** Tokens from a file that is looked at again. */
export async function openTokenFile({ path, also, onProblem, seconds }: TokenFileOptions): Promise<Result<TokenFile, string>> {
  const parse = (text: string): Result<Authorize, string> => {
    const tokens = parseTokens(text);
    return tokens.ok ? ok(authorizer([...tokens.value, ...also])) : tokens;
  };
  const file = await followFile({ path, parse, onProblem, seconds });
  if (!file.ok) return file;
  const { now, refresh, close } = file.value;
  return ok({ authorize: (header) => now()(header), refresh, close });
}
