import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { err, ok, type Result } from "../../core/result.ts";
import { ScalerError, type ScalerSettings } from "../config.ts";
import { followFile } from "../followed-file.ts";
import { authorizer, parseTokens, type Authorize } from "../intake/server-auth.ts";
import type { Log } from "../log.ts";
import { json, type Reply, type Upgrade } from "./http.ts";
import type { Identify } from "./named-tokens.ts";
import { createSessions } from "./sessions.ts";

/** Headers that the answer carries, or the answer instead. */
export type Reading = Result<Readonly<Record<string, string>>, Reply>;

export interface ReadAccess {
  readonly admit: (path: string, request: IncomingMessage) => Reading;
  /** The same for a socket. */
  readonly guard: (path: string, upgrade: Upgrade) => Upgrade;
  readonly close: () => void;
}

export interface ReadAccessDeps {
  /** Who may write may read. */
  readonly writers: Identify | undefined;
  /** Credentials were presented that are none. */
  readonly onRefused: () => void;
  /** Seconds, of a clock that does not jump. */
  readonly clock: () => number;
  readonly log: Log;
}

/** Prometheus and the kubelet read these without a token; the agents' link has its own door. */
const OPEN = new Set(["/metrics", "/healthz", "/readyz", "/agents"]);
const SHORTEST = 16;
/** No cache on the way keeps what needs a token. */
const PRIVATE = { "cache-control": "private, no-cache" };

/** The setting pageTokens: without it everybody may read. Programs present a token as bearer, browsers as the password of HTTP Basic, once. */
export async function openReaders({ pageTokens: path }: ScalerSettings, deps: ReadAccessDeps): Promise<ReadAccess> {
  if (path === undefined) return { admit: () => ok({}), guard: (_, upgrade) => upgrade, close: () => undefined };
  const file = await followFile({
    ...{ path, parse: authorizeBy },
    onProblem: (problem) => deps.log.warn({ problem }, "read: the page's tokens cannot be used; the last good ones stay valid"),
  });
  if (!file.ok) throw new ScalerError("bad-settings", `pageTokens: ${file.error}`);
  const { now, close } = file.value;
  const sessions = createSessions(deps.clock);
  const known = (authorization: string | undefined): boolean => {
    // Both are asked always: the time taken does not tell which one knew it.
    const [reads, writes] = [now()(authorization), deps.writers?.(authorization) !== undefined];
    return reads || writes;
  };

  function admit(at: string, request: IncomingMessage): Reading {
    if (OPEN.has(at)) return ok({});
    const { authorization } = request.headers;
    const secret = cookieOf(request);
    // A token that was taken out of the file ends its sessions.
    if (known(authorization) || (secret !== undefined && known(sessions.use(secret)))) return ok(PRIVATE);
    const bearer = asBearer(authorization);
    if (bearer !== undefined && known(bearer))
      return ok(at === "/" ? { ...PRIVATE, "set-cookie": cookie(request, sessions.open(bearer)) } : PRIVATE);
    if (authorization !== undefined) deps.onRefused();
    // Only the page asks people; a program that is asked for a password would hang.
    const challenge = at === "/" ? 'Basic realm="Fulcrum: any name, a page token as password", charset="UTF-8"' : 'Bearer realm="fulcrum"';
    const text = "present one of the scaler's pageTokens: Authorization: Bearer TOKEN, or in a browser as the password at /";
    return err({ ...json({ error: text }, 401), headers: { "www-authenticate": challenge } });
  }

  return {
    admit,
    guard: (at, upgrade) => (request, socket, head) => {
      if (admit(at, request).ok) upgrade(request, socket, head);
      else socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    },
    close,
  };
}

function authorizeBy(text: string): Result<Authorize, string> {
  const tokens = parseTokens(text);
  if (!tokens.ok) return tokens;
  const short = tokens.value.findIndex((token) => token.length < SHORTEST);
  if (short >= 0) return err(`token ${short + 1} has less than ${SHORTEST} characters; make one with openssl rand -hex 32`);
  return ok(authorizer(tokens.value));
}

/** The password of HTTP Basic as a bearer token would be presented. Any user's name will do. */
function asBearer(authorization: string | undefined): string | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : `Bearer ${text.slice(colon + 1)}`;
}

/** With the prefix a browser takes it over TLS only, for this host and every path of it. */
const nameOf = (request: IncomingMessage): string => (request.socket instanceof TLSSocket ? "__Host-fulcrum" : "fulcrum");

function cookie(request: IncomingMessage, secret: string): string {
  const secure = request.socket instanceof TLSSocket ? "; Secure" : "";
  return `${nameOf(request)}=${secret}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}

function cookieOf(request: IncomingMessage): string | undefined {
  const wanted = `${nameOf(request)}=`;
  const all = (request.headers.cookie ?? "").split(";").map((part) => part.trim());
  return all.find((part) => part.startsWith(wanted))?.slice(wanted.length);
}
