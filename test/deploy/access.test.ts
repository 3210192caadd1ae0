import { describe, expect, it } from "vitest";
import { scalerSettingsSchema } from "../../scaler/config.ts";
import { component, needs } from "../support/components.ts";
import { kustomize, type KubeObject, type Workload } from "../support/manifests.ts";
import { container, env, named, spec, withComponents, workload } from "./support/composed.ts";

const kubectl = component("kubectl");

/** Who proves what to whom, by certificates and tokens of Secrets. */
describe.skipIf(kubectl === undefined)(`access in deploy/components ${needs("kubectl")}`, () => {
  it("tls serves and trusts one certificate, whose names are the ones agents call", () => {
    const m = kustomize(kubectl ?? "", "overlays/tls");
    const [scaler, agent] = [workload(m, "Deployment"), workload(m, "DaemonSet")];
    const mounted = (w: Workload, path: string): string | undefined => {
      const mount = container(w).volumeMounts.find((v) => path.startsWith(`${v.mountPath}/`));
      return spec(w).volumes.find((v) => v.name === mount?.name)?.secret?.secretName;
    };
    expect(mounted(scaler, env(scaler, "FULCRUM_TLS_CERT") ?? "")).toBe("fulcrum-scaler-tls");
    expect(mounted(agent, env(agent, "NODE_EXTRA_CA_CERTS") ?? "")).toBe("fulcrum-scaler-tls");
    expect(spec(agent).volumes.find((v) => v.name === "ca")?.secret?.items).toEqual([{ key: "ca.crt", path: "ca.crt" }]);
    const certificate = named(m, "Certificate", "fulcrum-scaler") as unknown as { spec: { dnsNames: string[]; secretName: string } };
    expect(certificate.spec.secretName).toBe("fulcrum-scaler-tls");
    expect(certificate.spec.dnsNames).toContain(new URL(env(agent, "FULCRUM_SCALER_URL") ?? "").hostname);
    expect(scaler.spec.template.metadata.annotations["prometheus.io/scheme"]).toBe("https");
  });

  it("two scalers read each other's journal by a token of their own account, at the pod's address, over TLS under the certificate's name", () => {
    const m = kustomize(kubectl ?? "", "overlays/tls");
    const scaler = workload(m, "Deployment");
    expect(env(scaler, "FULCRUM_PEER_ACCOUNT")).toBe(`fulcrum/${spec(scaler).serviceAccountName}`);
    const file = env(scaler, "FULCRUM_PEER_TOKEN_FILE") ?? "";
    const mount = container(scaler).volumeMounts.find((v) => file.startsWith(`${v.mountPath}/`));
    const sources = (spec(scaler).volumes.find((v) => v.name === mount?.name)?.["projected"] as { sources: unknown[] } | undefined)
      ?.sources;
    const audience = scalerSettingsSchema.shape.agentAudience.parse(undefined);
    expect(sources).toEqual([{ serviceAccountToken: { audience, expirationSeconds: 3600, path: file.split("/").at(-1) } }]);
    const advertised = container(scaler).env.find((e) => e.name === "FULCRUM_ADVERTISE");
    expect(advertised).toMatchObject({ valueFrom: { fieldRef: { fieldPath: "status.podIP" } } });
    const certificate = named(m, "Certificate", "fulcrum-scaler") as unknown as { spec: { dnsNames: string[] } };
    expect(certificate.spec.dnsNames).toContain(env(scaler, "FULCRUM_CERTIFICATE_NAME"));
    expect(env(scaler, "NODE_EXTRA_CA_CERTS")).toBe("/etc/fulcrum/tls/ca.crt");
  });

  it("agent-certificates gives agents a certificate of a CA of their own, and the scaler that CA without a key", () => {
    const m = withComponents("tls", "agent-certificates");
    const [scaler, agent] = [workload(m, "Deployment"), workload(m, "DaemonSet")];
    const secretAt = (w: Workload, path: string | undefined): unknown => {
      const mount = container(w).volumeMounts.find((v) => path?.startsWith(`${v.mountPath}/`));
      return spec(w).volumes.find((v) => v.name === mount?.name)?.secret;
    };
    const item = (key: string) => ({ key, path: key });
    const pair = { secretName: "fulcrum-agent-tls", items: [item("tls.crt"), item("tls.key")] };
    expect([env(agent, "FULCRUM_CLIENT_CERT"), env(agent, "FULCRUM_CLIENT_KEY")].map((path) => secretAt(agent, path))).toEqual([
      pair,
      pair,
    ]);
    expect(secretAt(scaler, env(scaler, "FULCRUM_CLIENT_CA"))).toEqual({ secretName: "fulcrum-agent-tls", items: [item("ca.crt")] });
    // Each would do by itself, so that the token must go for the certificate to be needed.
    expect(env(scaler, "FULCRUM_AGENT_ACCOUNTS")).toBe("");

    interface Certificate {
      readonly spec: {
        readonly commonName: string;
        readonly secretName: string;
        readonly issuerRef: { name: string };
        readonly usages: string[];
      };
    }
    const certificate = (name: string): Certificate["spec"] | undefined =>
      (named(m, "Certificate", name) as unknown as Certificate | undefined)?.spec;
    const issuer = (name: string | undefined): KubeObject | undefined => named(m, "Issuer", name ?? "");
    const own = certificate("fulcrum-agent");
    expect(own).toMatchObject({ commonName: "fulcrum-agent", secretName: pair.secretName, usages: ["client auth"] });
    const ca = certificate("fulcrum-agents-ca");
    expect(issuer(own?.issuerRef.name)).toMatchObject({ spec: { ca: { secretName: ca?.secretName } } });
    expect(issuer(ca?.issuerRef.name)).toMatchObject({ spec: { selfSigned: {} } });
    expect(own?.issuerRef.name).not.toBe(certificate("fulcrum-scaler")?.issuerRef.name);
  });

  it("agent-token has agents present a token of the Secret, and the scaler take no other", () => {
    const m = withComponents("agent-token", "tls");
    const [scaler, agent] = [workload(m, "Deployment"), workload(m, "DaemonSet")];
    const mounted = (w: Workload, path: string): string | undefined => {
      const mount = container(w).volumeMounts.find((v) => path.startsWith(`${v.mountPath}/`));
      return spec(w).volumes.find((v) => v.name === mount?.name)?.secret?.secretName;
    };
    expect(mounted(scaler, env(scaler, "FULCRUM_AGENT_TOKENS") ?? "")).toBe("fulcrum-agent-token");
    expect(mounted(agent, env(agent, "FULCRUM_TOKEN_FILE") ?? "")).toBe("fulcrum-agent-token");
    expect(spec(agent).volumes.find((v) => v.name === "token")?.secret?.items).toEqual([{ key: "token", path: "token" }]);
    // An empty variable leaves the setting out.
    expect(env(scaler, "FULCRUM_AGENT_ACCOUNTS")).toBe("");
  });

  it.each([
    ["write-tokens", "FULCRUM_WRITE_TOKENS"],
    ["page-tokens", "FULCRUM_PAGE_TOKENS"],
  ])("%s has the scaler take the tokens of its Secret, beside the others, and nothing else of it", (name, variable) => {
    const scaler = workload(withComponents("write-tokens", "page-tokens", "agent-token"), "Deployment");
    const path = env(scaler, variable) ?? "";
    const mount = container(scaler).volumeMounts.find((v) => path.startsWith(`${v.mountPath}/`));
    expect(spec(scaler).volumes.find((v) => v.name === mount?.name)?.secret).toEqual({
      secretName: `fulcrum-${name}`,
      items: [{ key: "tokens", path: "tokens" }],
    });
  });
});
