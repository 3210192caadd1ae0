import { admitted, refused, type Admission } from "./admission.ts";

/** The common name of Kubernetes' own node certificates: the agent of that node, and of no other. */
const NODE = /^system:node:(\S{1,253})$/;
/** One certificate for the agents of all nodes, as one Secret gives to every pod of a DaemonSet. */
const ANY_NODE = "fulcrum-agent";

/** OpenSSL's verdicts that an operator meets, with what to do; others are told by their name. */
const MENDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired; renew it",
  CERT_NOT_YET_VALID: "it is not valid yet; check the clocks",
  INVALID_PURPOSE: "it is not made for clients; issue it with the usage `client auth`",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "clientCa does not hold its CA",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "clientCa does not hold its CA",
  SELF_SIGNED_CERT_IN_CHAIN: "clientCa does not hold its CA",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed and not in clientCa",
};

/** The client certificate of a connection, as TLS saw it. */
export interface PeerCertificate {
  /** The session is an earlier one's, and so is the verdict. */
  readonly resumed: boolean;
  /** OpenSSL's name of what is wrong with it; undefined = a CA of `clientCa` signed it for clients, and it is in force. */
  readonly verdict: string | undefined;
  /** A text; a list where there are several; undefined where there is none. */
  readonly commonName: unknown;
}

/** What a client certificate is worth. TLS asked for one and verified it, but let the connection come about without: people have none. */
export function certified(peer: PeerCertificate | undefined): Admission {
  if (peer === undefined) return refused("no-certificate", "no client certificate was presented; set clientCert and clientKey");
  const { resumed, verdict, commonName } = peer;
  // Perhaps by a CA that was taken out since. Agents never resume.
  if (resumed) return refused("bad-certificate", "the TLS session was resumed; connect anew");
  if (verdict !== undefined) return refused("bad-certificate", MENDS[verdict] ?? verdict);
  // Several common names are a list: whose certificate it is would be a guess.
  if (commonName === ANY_NODE) return admitted();
  const node = typeof commonName === "string" ? NODE.exec(commonName)?.[1] : undefined;
  return node === undefined ? refused("bad-certificate", `its common name must be system:node:NAME or ${ANY_NODE}`) : admitted(node);
}
