import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { component } from "./components.ts";

/** A fresh self-signed certificate for this machine, as files. */
export interface KeyPairFolder {
  readonly cert: string;
  readonly key: string;
  remove(): void;
}

/** Tests that need a certificate skip where nothing makes one. */
export const openssl = component("openssl");

export function makeKeyPair(): KeyPairFolder {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-tls-"));
  const [cert, key] = [join(directory, "tls.crt"), join(directory, "tls.key")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const subject = ["-subj", "/CN=fulcrum-scaler", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync(openssl ?? "", ["req", "-x509", ...curve, "-nodes", "-days", "2", ...files, ...subject], { stdio: "ignore" });
  return { cert, key, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
