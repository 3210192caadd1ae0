import { Server as TlsServer } from "node:tls";
import { ScalerError, type ScalerSettings } from "../config.ts";
import type { Log } from "../log.ts";
import { followKeyPair, readKeyPair, type KeyPair } from "./tls.ts";

export interface Tls {
  /** Undefined = plain http. */
  pair(): KeyPair | undefined;
  /** Hands renewed certificates to the server. */
  onChange(server: unknown): void;
  close(): void;
}

/** The settings tlsCert and tlsKey. Rejects with a ScalerError when they are not a pair. */
export async function openTls({ tlsCert: cert, tlsKey: key }: ScalerSettings, log: Log, seconds = 60): Promise<Tls> {
  if (cert === undefined && key === undefined) return { pair: () => undefined, onChange: () => undefined, close: () => undefined };
  if (cert === undefined || key === undefined) throw new ScalerError("bad-settings", "tlsCert and tlsKey go together; set both or neither");
  const first = await readKeyPair({ cert, key });
  if (!first.ok) throw new ScalerError("bad-settings", first.error);
  let current = first.value;
  const servers: unknown[] = [];
  const on = {
    changed(pair: KeyPair): void {
      current = pair;
      for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(pair);
      log.info({ cert }, "tls: a renewed certificate is in use");
    },
    problem: (problem: string): void => log.warn({ problem }, "tls: the renewed certificate cannot be used; the one before stays"),
  };
  const close = followKeyPair({ cert, key }, current, on, seconds);
  return { pair: () => current, onChange: (server) => void servers.push(server), close };
}
