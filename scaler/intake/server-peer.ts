import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "./client-certificate.ts";

/** Undefined = none was presented, or the connection is not TLS. */
export function peerCertificate(socket: Duplex): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  // Typed as never missing; without a certificate it is empty or null.
  const certificate = socket.getPeerCertificate() as { readonly subject?: { readonly CN?: unknown } } | null;
  if (certificate?.subject === undefined) return undefined;
  return {
    resumed: socket.isSessionReused(),
    verdict: socket.authorized ? undefined : String(socket.authorizationError),
    commonName: certificate.subject.CN,
  };
}
