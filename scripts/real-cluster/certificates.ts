import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files of one run, for two days: a CA, the server's certificate, and the key that service accounts' tokens are signed with. */
export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly accountKey: string;
  /** A kubeconfig of its own for a user of these groups. */
  kubeconfig(file: string, user: string, groups: readonly string[], server: string): string;
}

const OPENSSL = process.env["FULCRUM_OPENSSL"] ?? "openssl";
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function makeCertificates(folder: string): Certificates {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => void execFileSync(OPENSSL, args, { stdio: "pipe" });
  openssl("req", "-x509", ...EC, "-days", "2", "-subj", "/CN=fulcrum-test-ca", "-keyout", at("ca.key"), "-out", at("ca.crt"));
  openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", at("accounts.key"));

  function sign(name: string, subject: string, extensions: string): void {
    writeFileSync(at(`${name}.ext`), extensions);
    openssl("req", "-new", ...EC, "-subj", subject, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`));
    const ca = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial"];
    openssl("x509", "-req", "-days", "2", "-in", at(`${name}.csr`), ...ca, "-extfile", at(`${name}.ext`), "-out", at(`${name}.crt`));
  }

  sign(
    "server",
    "/CN=kube-apiserver",
    "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc\nextendedKeyUsage=serverAuth\n",
  );
  return {
    ca: at("ca.crt"),
    serverCert: at("server.crt"),
    serverKey: at("server.key"),
    accountKey: at("accounts.key"),
    kubeconfig(file, user, groups, server) {
      sign(file, `${groups.map((group) => `/O=${group}`).join("")}/CN=${user}`, "extendedKeyUsage=clientAuth\n");
      const path = at(`${file}.kubeconfig`);
      const text = `apiVersion: v1
kind: Config
current-context: real
contexts: [{ name: real, context: { cluster: real, user: real } }]
clusters: [{ name: real, cluster: { server: "${server}", certificate-authority: "${at("ca.crt")}" } }]
users: [{ name: real, user: { client-certificate: "${at(`${file}.crt`)}", client-key: "${at(`${file}.key`)}" } }]
`;
      writeFileSync(path, text);
      return path;
    },
  };
}
