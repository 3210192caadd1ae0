import { readFile } from "node:fs/promises";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { join } from "node:path";
import { type Result, err, ok } from "../../core/result.ts";
import { createLineReader } from "../../core/text-lines.ts";

/** Where the API server is and the folder of the ServiceAccount, as Kubernetes mounts it: `token` and `ca.crt`. */
export interface KubeAccess {
  readonly server: string;
  readonly account: string;
}

/** Why a call failed. `status` is missing when no answer came. */
export interface KubeFailure {
  readonly status?: number;
  readonly message: string;
  /** Seconds that the server asks to wait. */
  readonly retryAfter?: number;
}

export interface KubeApi {
  get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Result<unknown, KubeFailure>>;
  /** One watch, an object per line, until it ends; undefined = the server ended it in good order. */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    on: { readonly opened: () => void; readonly object: (object: unknown) => void },
    signal: AbortSignal,
  ): Promise<KubeFailure | undefined>;
  close(): void;
}

const CALL_SECONDS = 10;
/** A list of one node's pods: 500 of 60 kB, which is far more than pods have. */
const MAX_BODY = 32 * 1024 * 1024;
/** No object in etcd is larger than 1.5 MB. */
const MAX_LINE = 4 * 1024 * 1024;
/** A connection whose other end vanished is noticed by the kernel after a few of these. */
const KEEPALIVE_MS = 30_000;

/**
 * The few reads an agent makes of the API server, over node's own client. Token and CA are read anew for each request: the kubelet renews
 * the token in its file before it runs out, and requests are rare.
 */
export function createKubeApi({ server, account }: KubeAccess): KubeApi {
  let kept: { readonly ca: string; readonly agent: https.Agent } | undefined;
  const plain = new http.Agent({ keepAlive: true });

  const agentFor = (ca: string): https.Agent => {
    if (kept?.ca === ca) return kept.agent;
    kept?.agent.destroy();
    kept = { ca, agent: new https.Agent({ keepAlive: true, ...(ca !== "" && { ca }) }) };
    return kept.agent;
  };

  const open = async (path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> => {
    const url = new URL(server.replace(/\/+$/, "") + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const secure = url.protocol === "https:";
    const [token, ca] = await Promise.all([read(join(account, "token")), secure ? read(join(account, "ca.crt")) : ""]);
    const headers = { authorization: `Bearer ${token.trim()}`, accept: "application/json", "user-agent": "fulcrum-agent" };
    return new Promise((resolve, reject) => {
      const options = { headers, signal, agent: secure ? agentFor(ca) : plain };
      const request = (secure ? https : http).get(url, options, resolve);
      request.on("socket", (socket) => socket.setKeepAlive(true, KEEPALIVE_MS));
      request.on("error", reject);
    });
  };

  return {
    async get(path, query, signal) {
      const deadline = AbortSignal.timeout(CALL_SECONDS * 1000);
      try {
        const response = await open(path, query, AbortSignal.any([signal, deadline]));
        const text = await bodyOf(response);
        if (response.statusCode === 200) return ok(JSON.parse(text) as unknown);
        return err(refusal(path, response, text));
      } catch (cause) {
        return err({ message: deadline.aborted ? `no answer within ${CALL_SECONDS} s` : messageOf(cause) });
      }
    },
    async watch(path, query, on, signal) {
      try {
        const response = await open(path, { ...query, watch: "true" }, signal);
        if (response.statusCode !== 200) return refusal(path, response, await bodyOf(response));
        on.opened();
        const lines = createLineReader(MAX_LINE, (line) => on.object(JSON.parse(line) as unknown));
        for await (const chunk of response as AsyncIterable<Buffer>) lines.push(chunk);
        return undefined;
      } catch (cause) {
        return { message: messageOf(cause) };
      }
    },
    close() {
      kept?.agent.destroy();
      plain.destroy();
    },
  };
}

const read = (path: string): Promise<string> => readFile(path, "utf8");

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_BODY) throw new Error(`the answer is over ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A Status object says in a sentence what the matter is; a proxy's page does not, and is cut short. */
function refusal(path: string, response: IncomingMessage, text: string): KubeFailure {
  const status = response.statusCode ?? 0;
  const after = Number(response.headers["retry-after"]);
  let said = text.slice(0, 200);
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === "string") said = message.slice(0, 300);
  } catch {
    // Not JSON: what came stands for itself.
  }
  return { status, message: `${path}: ${status} ${said}`, ...(Number.isFinite(after) && after >= 0 && { retryAfter: after }) };
}

function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause ? String(cause.code) : "";
  return cause.message === "" ? code : cause.message;
}
