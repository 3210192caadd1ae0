import { createHash, randomBytes } from "node:crypto";

/** Browsers that have shown a token once, told again by a cookie. */
export interface Sessions {
  /** The new session's secret, for the cookie. */
  open(authorization: string): string;
  /** What was presented when it was opened; undefined = it is none, or it was idle for too long. Using it keeps it. */
  use(secret: string): string | undefined;
}

/** Seconds without a request after which a session ends. */
const IDLE = 12 * 3600;
/** Beyond it the one that was idle longest ends. */
const MAX_SESSIONS = 1000;

/** `clock` in seconds. */
export function createSessions(clock: () => number, max: number = MAX_SESSIONS): Sessions {
  // By digest: looking one up tells nothing about the others by the time it takes. The least lately used is first.
  const sessions = new Map<string, { readonly authorization: string; readonly until: number }>();

  function keep(key: string, authorization: string): void {
    sessions.delete(key);
    sessions.set(key, { authorization, until: clock() + IDLE });
    for (const [oldest, { until }] of sessions) {
      if (sessions.size <= max && until > clock()) break;
      sessions.delete(oldest);
    }
  }

  return {
    open(authorization) {
      const secret = randomBytes(32).toString("base64url");
      keep(digest(secret), authorization);
      return secret;
    },
    use(secret) {
      const key = digest(secret);
      const found = sessions.get(key);
      if (found === undefined || found.until <= clock()) return undefined;
      keep(key, found.authorization);
      return found.authorization;
    },
  };
}

const digest = (text: string): string => createHash("sha256").update(text).digest("base64");
