import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { err, ok, type Result } from "../../core/result.ts";
import type { LeaderJournal } from "../journal/follow.ts";
import { numberOf } from "../journal/files.ts";
import type { JournalFile } from "../journal/part.ts";

export interface LeaderDoor {
  /** Where the leader serves its API, as `https://10.1.2.3:8900`. */
  readonly address: string;
  /** The name its certificate is made out to, where that is not the address's. */
  readonly certificateName: string | undefined;
  /** The token of this scaler's ServiceAccount, where it has one. */
  readonly token: () => Promise<string | undefined>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TIMEOUT = 10_000;
const LARGEST = 80 * 1024 * 1024;
/** A leader keeps 10,000 files at most. */
const MOST_FILES = 10_000;

/** The journal of another scaler, over `GET /api/journal`. */
export function leaderJournal(door: LeaderDoor): LeaderJournal {
  const ask = async (query: string, signal: AbortSignal): Promise<Result<Answer, string>> =>
    get(door, await door.token(), `/api/journal${query}`, signal);
  return {
    async list(signal) {
      const answer = await ask("", signal);
      if (!answer.ok) return answer;
      if (answer.value.status !== 200) return refused(answer.value);
      const files = filesOf(answer.value.body);
      return files === undefined ? err("its list of journal files is none") : ok(files);
    },
    async part(name, from, digest, signal) {
      const query = `?file=${encodeURIComponent(name)}&from=${from}${digest === undefined ? "" : `&sha256=${digest}`}`;
      const answer = await ask(query, signal);
      if (!answer.ok) return answer;
      const { status, body } = answer.value;
      if (status === 404) return ok({ kind: "none" });
      if (status === 409) return ok({ kind: "other" });
      return status === 200 ? ok({ kind: "lines", bytes: body }) : refused(answer.value);
    },
  };
}

const refused = ({ status, body }: Answer): Result<never, string> =>
  err(`it answers with ${status}: ${body.toString("utf8", 0, 200).trim()}`);

function filesOf(body: Buffer): readonly JournalFile[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const files = typeof value === "object" && value !== null && "files" in value ? value.files : undefined;
  if (!Array.isArray(files) || files.length > MOST_FILES) return undefined;
  return files.filter(isFile);
}

const isFile = (file: unknown): file is JournalFile =>
  typeof file === "object" &&
  file !== null &&
  "name" in file &&
  "bytes" in file &&
  typeof file.name === "string" &&
  numberOf(file.name) !== undefined &&
  typeof file.bytes === "number";

function get(
  { address, certificateName }: Pick<LeaderDoor, "address" | "certificateName">,
  token: string | undefined,
  path: string,
  signal: AbortSignal,
): Promise<Result<Answer, string>> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(err(error.message));
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const secure = address.startsWith("https:");
    const named = secure && certificateName !== undefined ? { servername: certificateName } : {};
    const url = new URL(path, address);
    const request = (secure ? httpsRequest : httpRequest)(url, { headers, signal, timeout: TIMEOUT, ...named }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > LARGEST) response.destroy(new Error("its answer is over 80 MiB"));
        else chunks.push(chunk);
      });
      response.on("end", () => resolve(ok({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) })));
      response.on("error", failed);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT / 1000} s`)));
    request.on("error", failed);
    request.end();
  });
}
