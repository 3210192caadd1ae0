import { createHash, timingSafeEqual } from "node:crypto";
import { err, ok, type Result } from "../../core/result.ts";

/** The name under which a bearer token is kept; undefined = it is none of them. */
export type Identify = (authorization: string | undefined) => string | undefined;

const MAX_TOKENS = 1000;
const MAX_BYTES = 256 * 1024;
/** There is no lock-out: a short one could be found by trying. */
const SHORTEST = 16;

/** `name token` a line; empty lines and lines that begin with # say nothing. Several may have one name, so that they can be changed. */
export function parseNamedTokens(text: string): Result<Identify, string> {
  if (text.length > MAX_BYTES) return err("over 256 KiB; it holds a name and a token per line");
  const known: { readonly name: string; readonly digest: Buffer }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    const [name = "", token = "", ...more] = words;
    if (name === "" || name.startsWith("#")) continue;
    const where = `line ${index + 1}`;
    if (token === "" || more.length > 0)
      return err(`${where}: write a name and a token, with one space between, for example "alice 3f9c…"`);
    if (!/^[\w.@-]{1,64}$/.test(name)) return err(`${where}: a name has 1 to 64 letters, digits, and any of . _ @ -`);
    if (token.length < SHORTEST) return err(`${where}: a token has at least ${SHORTEST} characters; make one with openssl rand -hex 32`);
    known.push({ name, digest: digestOf(`Bearer ${token}`) });
    if (known.length > MAX_TOKENS) return err(`holds over ${MAX_TOKENS} tokens`);
  }
  if (known.length === 0) return err("holds no token; write a name and a token per line");
  return ok((authorization) => {
    const given = digestOf(authorization ?? "");
    let found: string | undefined;
    // Every one is compared: the time taken tells nothing about them.
    for (const { name, digest } of known) if (timingSafeEqual(given, digest)) found = name;
    return found;
  });
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();
