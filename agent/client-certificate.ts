import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { err, ok, type Result } from "../core/result.ts";
import type { AgentSettings } from "./config.ts";
import type { Log } from "./log.ts";

/** A certificate chain and its key, as PEM. */
export interface ClientCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

type Files = Pick<AgentSettings, "clientCert" | "clientKey">;

/** Both files, proven to belong together; undefined where none are set. */
export function readClientCertificate({ clientCert, clientKey }: Files): Result<ClientCertificate | undefined, string> {
  if (clientCert === undefined || clientKey === undefined) return ok(undefined);
  try {
    const [cert, key] = [readFileSync(clientCert), readFileSync(clientKey)];
    createSecureContext({ cert, key });
    return ok({ cert, key });
  } catch (error) {
    return err(`${clientCert}, ${clientKey}: not a certificate and its key: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The certificate to present to the scaler, read at each connection: it is renewed while the agent runs. A pair that cannot be read (a
 * renewal half written) is told, and the last good one presented.
 */
export function createCertificateSource(files: Files, log: Log): () => ClientCertificate | undefined {
  let last: ClientCertificate | undefined;
  return () => {
    const read = readClientCertificate(files);
    if (read.ok) last = read.value;
    else log.warn({ problem: read.error }, "the client certificate cannot be used; the one before is presented, if there was one");
    return last;
  };
}
