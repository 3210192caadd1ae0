import http from "node:http";
import https from "node:https";
import { createServer } from "node:net";

/** A page is some 100 kB; the doctor needs no more to tell whose it is. */
const MAX_BYTES = 16 * 1024 * 1024;
const TIMEOUT_MS = 3000;

export type Answer = { readonly text: string } | { readonly problem: string };

/** One page. Not fetch(): it refuses ports that browsers refuse, and engines may well listen on those. */
export function get(url: string): Promise<Answer> {
  return new Promise((resolve) => {
    const request = (url.startsWith("https:") ? https : http).get(url, { timeout: TIMEOUT_MS });
    const deadline = setTimeout(() => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
    const finish = (answer: Answer): void => {
      clearTimeout(deadline);
      resolve(answer);
    };
    request.on("error", (error) => finish({ problem: why(error) }));
    request.on("response", (response) => {
      const { statusCode = 0, statusMessage = "" } = response;
      if (statusCode !== 200) {
        request.destroy();
        return finish({ problem: `answers ${statusCode} ${statusMessage}`.trimEnd() });
      }
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_BYTES) request.destroy(new Error(`answers with over ${MAX_BYTES} bytes`));
      });
      response.on("error", (error) => finish({ problem: why(error) }));
      response.on("end", () => finish({ text }));
    });
  });
}

function why(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ENOTFOUND") return "no such host";
  return error.message;
}

/** Whether this process could listen there now. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
