/** Whether a connection may be opened, and by whom. */
export type Admission =
  | {
      readonly ok: true;
      /** The only node it may report for; undefined = what it presented is bound to none. */
      readonly node?: string;
    }
  | { readonly ok: false; readonly code: "unauthorized" | "auth-unavailable"; readonly reason: string };

export const admitted = (node?: string): Admission => (node === undefined ? { ok: true } : { ok: true, node });
export const refused = (code: "unauthorized" | "auth-unavailable", reason: string): Admission => ({ ok: false, code, reason });

/** What an `authorization` header is worth. */
export type Admit = (header: string | undefined) => Admission | Promise<Admission>;
