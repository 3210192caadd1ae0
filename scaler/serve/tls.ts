import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { err, ok, type Result } from "../../core/result.ts";

/** A certificate chain and its key, as PEM. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface KeyPairFiles {
  readonly cert: string;
  readonly key: string;
}

/** Reads both files and proves that they belong together. */
export async function readKeyPair(files: KeyPairFiles): Promise<Result<KeyPair, string>> {
  try {
    const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
    createSecureContext({ cert, key });
    return ok({ cert, key });
  } catch (error) {
    return err(`${files.cert}, ${files.key}: not a certificate and its key: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Looks at the files every `seconds` and hands on a new pair: certificates are renewed while the process runs. A pair that cannot
 * be read (a renewal half written) is told once and looked at again; the one in use stays.
 */
export function followKeyPair(
  files: KeyPairFiles,
  first: KeyPair,
  on: { readonly changed: (pair: KeyPair) => void; readonly problem: (message: string) => void },
  seconds = 60,
): () => void {
  let now = first;
  let told: string | undefined;
  async function look(): Promise<void> {
    const next = await readKeyPair(files);
    if (!next.ok) {
      if (told !== next.error) on.problem(next.error);
      told = next.error;
      return;
    }
    told = undefined;
    if (next.value.cert.equals(now.cert) && next.value.key.equals(now.key)) return;
    now = next.value;
    on.changed(now);
  }
  const timer = setInterval(() => void look(), seconds * 1000);
  timer.unref();
  return () => clearInterval(timer);
}
