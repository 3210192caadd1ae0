import { X509Certificate } from "node:crypto";
import { err, ok, type Result } from "../../core/result.ts";

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Every certificate of a PEM bundle, so that a broken one is told now and not at the first handshake. */
export function parseCaBundle(text: string): Result<string, string> {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) return err("holds no certificate; write PEM, one or several CAs");
  for (const [index, block] of blocks.entries()) {
    try {
      if (!new X509Certificate(block).ca) return err(`certificate ${index + 1} is no CA; give the one that signs the agents' certificates`);
    } catch (error) {
      return err(`certificate ${index + 1} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return ok(blocks.join("\n"));
}
