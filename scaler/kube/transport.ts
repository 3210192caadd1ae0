import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { err, ok, type Result } from "../../core/result.ts";
import { createLineReader } from "../../core/text-lines.ts";
import { CALL_TIMEOUT, type KubeApi, type KubeCall, type KubeError } from "./api.ts";

/** Where the API server is, and what a request needs to be let in. */
export interface Door {
  readonly server: string;
  options(): Promise<RequestOptions>;
}

/** 5000 pods of 8 KB; a list is asked for in pages far below it. */
const MAX_BODY = 40 * 1024 * 1024;
/** A watch event is one object; no object in etcd is larger than 1.5 MB, and managed fields do not triple it. */
const MAX_EVENT = 5 * 1024 * 1024;

/** The API over node's own client, with a timeout and a size limit on every answer. */
export function createKubeApi(door: Door, timeout = CALL_TIMEOUT): KubeApi {
  async function open(call: KubeCall, signal: AbortSignal): Promise<IncomingMessage> {
    const base = await door.options();
    const url = new URL(door.server.replace(/\/+$/, "") + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers = {
      ...(base.headers as Record<string, string> | undefined),
      accept: "application/json",
      "user-agent": "fulcrum-scaler",
      ...(body === undefined ? {} : { "content-type": call.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
    };
    return new Promise((resolve, reject) => {
      const start = url.protocol === "http:" ? httpRequest : httpsRequest;
      const request = start(url, { ...base, method: call.method, headers, signal }, resolve);
      request.on("error", reject);
      request.end(body);
    });
  }

  return {
    async call(call, signal) {
      const where = `${call.method} ${call.path}`;
      const deadline = AbortSignal.timeout(timeout * 1000);
      try {
        // The server gives up with us: nothing we no longer wait for is carried out later.
        const query = { ...call.query, ...(call.method === "GET" ? {} : { timeout: `${timeout}s` }) };
        const response = await open({ ...call, query }, AbortSignal.any([signal, deadline]));
        const text = await readBody(response);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) return ok(JSON.parse(text) as unknown);
        return err({ status, message: `${where}: ${status} ${messageIn(text)}`, ...retryAfterOf(response) });
      } catch (error) {
        return err({ message: `${where}: ${deadline.aborted ? `no answer within ${timeout} s` : reason(error)}` });
      }
    },
    async watch(path, query, onEvent, signal) {
      const asked = { ...query, watch: "true" };
      try {
        const response = await open({ method: "GET", path, query: asked }, signal);
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          return { status, message: `WATCH ${path}: ${status} ${messageIn(await readBody(response))}`, ...retryAfterOf(response) };
        }
        const lines = createLineReader(MAX_EVENT, (line) => onEvent(JSON.parse(line) as unknown));
        for await (const chunk of response) lines.push(chunk as Buffer);
        return undefined;
      } catch (error) {
        return { message: `WATCH ${path}: ${reason(error)}` };
      }
    },
  };
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).byteLength;
    if (size > MAX_BODY) throw new Error(`the answer is over ${MAX_BODY} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The sentence of a Status object, or what came instead of one. */
function messageIn(text: string): string {
  try {
    const status = JSON.parse(text) as { message?: unknown } | null;
    if (typeof status?.message === "string") return status.message.slice(0, 500);
  } catch {
    // Not JSON: a proxy's page, or a server on its way up.
  }
  return text.slice(0, 200);
}

function retryAfterOf(response: IncomingMessage): Pick<KubeError, "retryAfter"> {
  const seconds = Number(response.headers["retry-after"]);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfter: seconds } : {};
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" && !error.message.includes(error.code)
    ? `${error.code} ${error.message}`
    : error.message;
}

/** A read that the server was too busy for, asked again as it wishes; a wish of more than a moment is the caller's to hear. */
export async function read(api: KubeApi, call: Pick<KubeCall, "path" | "query">, signal: AbortSignal): Promise<Result<unknown, KubeError>> {
  for (let attempt = 0; ; attempt++) {
    const answer = await api.call({ method: "GET", ...call }, signal);
    if (answer.ok || answer.error.status !== 429 || attempt === 2 || (answer.error.retryAfter ?? 1) > 2) return answer;
    await pause(answer.error.retryAfter ?? 1, signal);
  }
}

/** Waits, or until it is aborted: either way it only returns. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", done);
  });
}
