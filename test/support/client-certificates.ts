import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openssl, type KeyPairFolder } from "./key-pair.ts";

/** A CA that signs client certificates. */
export interface ClientCa extends KeyPairFolder {
  /** `days` below 0 = expired when it is made; `usage` is what it may be used for. */
  issue(name: string, options?: { readonly days?: number; readonly usage?: string }): { readonly cert: string; readonly key: string };
}

export function makeClientCa(): ClientCa {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-ca-"));
  const at = (name: string): string => join(directory, name);
  const run = (...args: readonly string[]): unknown => execFileSync(openssl ?? "", args, { stdio: "pipe" });
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const [cert, key] = [at("ca.crt"), at("ca.key")];
  run(
    "req",
    "-x509",
    ...fresh,
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    cert,
    "-subj",
    "/CN=agents",
    "-addext",
    "keyUsage=critical,keyCertSign",
  );
  let issued = 0;
  return {
    cert,
    key,
    issue(name, { days = 2, usage = "clientAuth" } = {}) {
      const one = at(String(issued++));
      run("req", ...fresh, "-keyout", `${one}.key`, "-out", `${one}.csr`, "-subj", `/CN=${name}`, "-addext", `extendedKeyUsage=${usage}`);
      const by = ["-CA", cert, "-CAkey", key, "-copy_extensions", "copyall", "-days", String(days)];
      run("x509", "-req", "-in", `${one}.csr`, "-out", `${one}.crt`, ...by);
      return { cert: `${one}.crt`, key: `${one}.key` };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
