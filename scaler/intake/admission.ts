import type { PeerCertificate } from "./client-certificate.ts";

/** Why a connection may not be opened. */
export type AdmissionRefusal = "unauthorized" | "auth-unavailable" | "no-certificate" | "bad-certificate";

/** Whether a connection may be opened, and by whom. */
export type Admission =
  | {
      readonly ok: true;
      /** The only node it may report for; undefined = what it presented is bound to none. */
      readonly node?: string;
    }
  | { readonly ok: false; readonly code: AdmissionRefusal; readonly reason: string };

export const admitted = (node?: string): Admission => (node === undefined ? { ok: true } : { ok: true, node });
export const refused = (code: AdmissionRefusal, reason: string): Admission => ({ ok: false, code, reason });

/** What an `authorization` header and the client certificate of its connection are worth. */
export type Admit = (header: string | undefined, peer: PeerCertificate | undefined) => Admission | Promise<Admission>;
