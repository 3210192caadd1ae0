import { copyFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { agentSettingsSchema, type AgentSettings } from "../../agent/config.ts";
import { scalerLink } from "../../cli/doctor/scaler-link.ts";
import { makeClientCa, type ClientCa } from "../support/client-certificates.ts";
import { needs } from "../support/components.ts";
import { openssl } from "../support/key-pair.ts";

const DAY = 86_400_000;
const made: ClientCa[] = [];
afterEach(() => made.splice(0).forEach((ca) => ca.remove()));

const settings = (more: Partial<AgentSettings>): AgentSettings =>
  // Nothing listens on port 1.
  agentSettingsSchema.parse({ node: "node-a", targets: "t", scalerUrl: "wss://127.0.0.1:1/agents", ...more });

// Certificates that a scaler takes or refuses: test/system/client-certificates.test.ts.
describe.skipIf(openssl === undefined)(`doctor: the client certificate ${needs("openssl")}`, () => {
  it("is judged by name, dates and key as it lies there, and the link by what answers", async () => {
    const ca = makeClientCa();
    made.push(ca);
    const { cert: clientCert, key: clientKey } = ca.issue("system:node:node-a");
    const at = (days: number) => scalerLink(settings({ clientCert, clientKey }), Date.now() + days * DAY);
    const [certificate, link, ...others] = await at(0);
    expect(others).toEqual([]);
    expect(certificate).toMatchObject({ standing: "good", what: `client certificate ${clientCert}` });
    expect(link).toMatchObject({ standing: "bad", code: "link-failed", how: expect.stringContaining("ECONNREFUSED") as string });
    expect((await at(1.7))[0]).toMatchObject({ standing: "warning", code: "client-certificate-expiring" });
    expect((await at(2.1))[0]).toMatchObject({ standing: "bad", code: "client-certificate-expired" });
    expect((await at(-1))[0]).toMatchObject({ standing: "bad", how: expect.stringContaining("not valid before") as string });

    const other = ca.issue("system:node:node-b");
    const [named] = await scalerLink(settings({ clientCert: other.cert, clientKey: other.key }));
    expect(named).toMatchObject({ standing: "bad", how: expect.stringContaining("CN=system:node:node-b") as string });
    const [plain, ...rest] = await scalerLink(settings({ clientCert, clientKey, scalerUrl: "ws://127.0.0.1:1/agents" }));
    expect([plain?.standing, rest]).toEqual(["warning", []]);
    copyFileSync(other.key, clientKey);
    expect((await at(0))[0]).toMatchObject({ standing: "bad", how: expect.stringContaining("not a certificate and its key") as string });
    expect(() => settings({ clientCert })).toThrow(/clientCert and clientKey go together/);
  });

  it("says nothing where none is set and the link is not TLS", async () => {
    expect(await scalerLink(settings({ scalerUrl: "ws://127.0.0.1:1/agents" }))).toEqual([]);
  });
});
