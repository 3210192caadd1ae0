import { request, type ClientRequest } from "node:http";
import { createLineReader } from "../../core/text-lines.ts";
import type { EngineHello, ToEngine } from "./messages.ts";

/** The way of an engine that runs as a pod: it goes to the fleet, and is told over the answer what happens on its replica. */
export interface FleetStream {
  /** Asks to be drained; the fleet answers with `stop` when nothing is left to do. Rejects when the fleet does not know it. */
  leave(): Promise<void>;
}

const RETRY_MS = 500;
/** An update of a second of a busy replica has some 100 kB. */
const MAX_LINE = 16 * 1024 * 1024;

/**
 * Tries until the fleet takes it in. `ended` is told once, when a stream that was open is over: whoever runs the pod starts it again, as
 * it would an engine that died.
 */
export function followFleet(fleet: string, hello: EngineHello, on: (message: ToEngine) => void, ended: (why: string) => void): FleetStream {
  const send = (method: string, path: string, body?: string): ClientRequest => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(new URL(path, fleet), { method, headers, agent: false });
    sent.end(body);
    return sent;
  };
  const again = (): void => void setTimeout(open, RETRY_MS);
  const open = (): void => {
    const sent = send("POST", "/v1/engines", JSON.stringify(hello));
    sent.once("error", again);
    sent.once("response", (response) => {
      sent.removeListener("error", again);
      // What ends the stream ends the response too.
      sent.on("error", () => undefined);
      if (response.statusCode !== 200) {
        response.resume();
        return again();
      }
      const lines = createLineReader(MAX_LINE, (line) => on(JSON.parse(line) as ToEngine)); // the fleet's own words
      response.on("data", (chunk: Buffer) => lines.push(chunk));
      response.on("error", () => undefined);
      response.once("close", () => ended("the fleet is gone"));
    });
  };
  open();
  return {
    leave: () =>
      new Promise((resolve, reject) => {
        const sent = send("DELETE", `/v1/engines/${hello.pod}`);
        sent.once("error", reject);
        sent.once("response", (response) => {
          response.resume();
          if (response.statusCode === 202) resolve();
          else reject(new Error(`the fleet answered ${response.statusCode ?? 0}`));
        });
      }),
  };
}
