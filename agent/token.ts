import { readFileSync } from "node:fs";
import type { AgentSettings } from "./config.ts";
import type { Log } from "./log.ts";

/**
 * The token to present to the scaler, asked for at each connection. Tokens from a file (a Secret, a projected ServiceAccount token)
 * are renewed while the agent runs; a file that cannot be read is told and the connection made without one, so that the scaler's
 * refusal shows too.
 */
export function createTokenSource({ token, tokenFile }: Pick<AgentSettings, "token" | "tokenFile">, log: Log): () => string | undefined {
  if (tokenFile === undefined) return () => token;
  return () => {
    try {
      const text = readFileSync(tokenFile, "utf8").trim();
      // A header cannot hold a line break, and an empty token is none.
      if (text !== "" && !/\s/.test(text)) return text;
      log.warn({ file: tokenFile }, "the token file does not hold one token on one line");
    } catch (cause) {
      log.warn({ file: tokenFile, err: cause }, "the token file cannot be read");
    }
    return token;
  };
}
