import { Server as TlsServer } from "node:tls";
import { ScalerError, type ScalerSettings } from "../config.ts";
import { followFile, type FollowedFile } from "../followed-file.ts";
import type { Log } from "../log.ts";
import { parseCaBundle } from "./client-ca.ts";
import { followKeyPair, readKeyPair, type KeyPair } from "./tls.ts";

/** With `clientCa` clients are asked for a certificate, and none is turned away: who needs one is for the path to say. */
export type ServerTls = KeyPair | (KeyPair & { readonly ca: string; readonly requestCert: true; readonly rejectUnauthorized: false });

export interface Tls {
  /** Undefined = plain http. */
  pair(): KeyPair | undefined;
  /** The same for the port that agents come to. */
  serving(): ServerTls | undefined;
  /** Hands renewed certificates to the server. */
  onChange(server: unknown): void;
  close(): void;
}

/** The settings tlsCert, tlsKey and clientCa. Rejects with a ScalerError when they are not a pair, or not a CA. */
export async function openTls({ tlsCert: cert, tlsKey: key, clientCa }: ScalerSettings, log: Log, seconds = 60): Promise<Tls> {
  if (cert === undefined && key === undefined) {
    if (clientCa !== undefined) throw new ScalerError("bad-settings", "clientCa needs TLS; set tlsCert and tlsKey too");
    return { pair: () => undefined, serving: () => undefined, onChange: () => undefined, close: () => undefined };
  }
  if (cert === undefined || key === undefined) throw new ScalerError("bad-settings", "tlsCert and tlsKey go together; set both or neither");
  const first = await readKeyPair({ cert, key });
  if (!first.ok) throw new ScalerError("bad-settings", first.error);
  let current = first.value;
  const servers: unknown[] = [];
  const serving = (): ServerTls =>
    ca === undefined ? current : { ...current, ca: ca.now(), requestCert: true, rejectUnauthorized: false };
  const renew = (path: string, what: string): void => {
    for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(serving());
    log.info({ path }, `tls: ${what} in use`);
  };
  const ca =
    clientCa === undefined ? undefined : await openClientCa(clientCa, () => renew(clientCa, "other CAs of clients are"), log, seconds);
  const on = {
    changed(pair: KeyPair): void {
      current = pair;
      renew(cert, "a renewed certificate is");
    },
    problem: (problem: string): void => log.warn({ problem }, "tls: the renewed certificate cannot be used; the one before stays"),
  };
  const stop = followKeyPair({ cert, key }, current, on, seconds);
  const close = (): void => {
    stop();
    ca?.close();
  };
  return { pair: () => current, serving, onChange: (server) => void servers.push(server), close };
}

async function openClientCa(path: string, onChange: () => void, log: Log, seconds: number): Promise<FollowedFile<string>> {
  const onProblem = (problem: string): void => log.warn({ problem }, "tls: clientCa cannot be used; what it said before stays");
  const file = await followFile({ path, parse: parseCaBundle, onProblem, onChange, seconds });
  if (!file.ok) throw new ScalerError("bad-settings", `clientCa: ${file.error}`);
  return file.value;
}
