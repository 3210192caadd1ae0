import { X509Certificate } from "node:crypto";
import type { AgentSettings } from "../../agent/config.ts";
import { probeCertificate, probeLink } from "../../agent/link-probe.ts";
import { bad, good, warning, type Finding } from "./finding.ts";

/** Issuers renew at a third of the life (cert-manager's default): below a fifth a renewal was missed. */
const SOON = 0.2;

/** The client certificate as it lies there, and over TLS whether the scaler opens the agents' link for what this agent presents. */
export async function scalerLink(settings: AgentSettings, now = Date.now()): Promise<readonly Finding[]> {
  const { clientCert, scalerUrl } = settings;
  const findings = clientCert === undefined ? [] : [certificate(settings, clientCert, now)];
  return scalerUrl.startsWith("wss:") ? [...findings, await link(settings)] : findings;
}

function certificate(settings: AgentSettings, path: string, now: number): Finding {
  const what = `client certificate ${path}`;
  const read = probeCertificate(settings);
  if (!read.ok || read.value === undefined)
    return bad(what, read.ok ? "no key is set" : read.error, "set clientCert and clientKey to a pair");
  const { subject, validFrom, validTo } = new X509Certificate(read.value.cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const until = new Date(to).toISOString();
  if (now >= to)
    return bad(what, `expired at ${until}`, "renew it; the agent reads it at its next connection", "client-certificate-expired");
  if (now < from) return bad(what, `not valid before ${new Date(from).toISOString()}`, "check the clocks of this node and of the issuer");
  const names = subject.split("\n");
  if (!names.includes("CN=fulcrum-agent") && !names.includes(`CN=system:node:${settings.node}`))
    return bad(what, `its name is ${names.join(", ")}`, `issue it as CN=system:node:${settings.node} or CN=fulcrum-agent`);
  if (!settings.scalerUrl.startsWith("wss:"))
    return warning(what, "it is not presented: the link is not TLS", "set tlsCert and tlsKey of the scaler, and scalerUrl to wss://");
  if (to - now < SOON * (to - from))
    return warning(what, `expires at ${until}`, "look why it was not renewed yet", "client-certificate-expiring");
  return good(what, `${names.join(", ")}, until ${until}`);
}

async function link(settings: AgentSettings): Promise<Finding> {
  const what = `link ${settings.scalerUrl}`;
  const answer = await probeLink(settings);
  if (answer.open) return good(what, "the scaler takes what this agent presents");
  if (answer.status === undefined)
    return bad(
      what,
      answer.cause,
      "check the address, that NODE_EXTRA_CA_CERTS names the scaler's CA, and what is presented",
      "link-failed",
    );
  return answer.status === 401
    ? bad(what, answer.cause, "mend what is presented; the scaler's log says more", "link-refused")
    : warning(what, answer.cause, "a scaler that stands by or is full; look again", "link-failed");
}
