import { performance } from "node:perf_hooks";
import { ScalerError, type ScalerSettings } from "./config.ts";
import { admitted, refused, type Admission, type Admit } from "./intake/admission.ts";
import { certified } from "./intake/client-certificate.ts";
import { authorizer, openTokenFile, type Authorize } from "./intake/server-auth.ts";
import { createTokenReviewer, type TokenReviewer } from "./kube/token-review.ts";
import { createKubeApi } from "./kube/transport.ts";
import type { Log } from "./log.ts";

export interface AgentAccess {
  readonly admit: Admit;
  readonly close: () => void;
}

/**
 * Who may open the agents' link: who presents a token of the settings `token` and `agentTokens`, or a ServiceAccount token of one of
 * `agentAccounts`, or a client certificate of a CA in `clientCa`. Any one of them proves it. Without any of these settings, everybody who
 * can reach the port.
 */
export async function openAgentAccess(settings: ScalerSettings, log: Log): Promise<AgentAccess> {
  const stopping = new AbortController();
  const reviewer = await openReviewer("agentAccounts", settings, stopping.signal);
  const tokens = await openTokens(settings, log);
  const close = (): void => {
    stopping.abort();
    tokens?.close();
  };
  const byToken = (header: string | undefined): Admission | Promise<Admission> => {
    if (tokens?.authorize(header) === true) return admitted();
    const token = /^Bearer (\S+)$/.exec(header ?? "")?.[1];
    if (token === undefined) return refused("unauthorized", "no bearer token was presented");
    return reviewer?.review(token) ?? refused("unauthorized", "the token is none of those that agents may present");
  };
  const takesTokens = tokens !== undefined || reviewer !== undefined;
  if (settings.clientCa === undefined) return { close, admit: takesTokens ? byToken : () => admitted() };
  return {
    close,
    admit(header, peer) {
      const certificate = certified(peer);
      if (certificate.ok || !takesTokens) return certificate;
      const token = byToken(header);
      return token instanceof Promise ? token.then((found) => either(certificate, found)) : either(certificate, token);
    },
  };
}

/** The certificate proved nothing. Of two refusals the certificate's is told where one was presented: it is meant to be good. */
function either(certificate: Admission, token: Admission): Admission {
  if (token.ok || token.code === "auth-unavailable" || certificate.ok) return token;
  return certificate.code === "bad-certificate" ? certificate : token;
}

async function openTokens(
  { token, agentTokens }: ScalerSettings,
  log: Log,
): Promise<{ readonly authorize: Authorize; readonly close: () => void } | undefined> {
  const also = token === undefined ? [] : [token];
  if (agentTokens === undefined) return token === undefined ? undefined : { authorize: authorizer(also), close: () => undefined };
  const file = await openTokenFile({
    path: agentTokens,
    also,
    onProblem: (problem) => log.warn({ problem }, "intake: the agents' tokens cannot be used; the last good ones stay valid"),
  });
  if (!file.ok) throw new ScalerError("bad-settings", `agentTokens: ${file.error}`);
  return file.value;
}

/** Who may read the journal besides those who may read everything: another scaler, by the token of its ServiceAccount. */
export async function openPeerAccess(
  settings: ScalerSettings,
): Promise<{ readonly admits: (header: string | undefined) => Promise<boolean>; readonly close: () => void }> {
  const stopping = new AbortController();
  const reviewer = await openReviewer("peerAccount", settings, stopping.signal);
  return {
    close: () => stopping.abort(),
    async admits(header) {
      const token = /^Bearer (\S+)$/.exec(header ?? "")?.[1];
      return token !== undefined && (await reviewer?.review(token))?.ok === true;
    },
  };
}

async function openReviewer(
  which: "agentAccounts" | "peerAccount",
  { agentAudience: audience, kubeconfig, [which]: accounts }: ScalerSettings,
  signal: AbortSignal,
): Promise<TokenReviewer | undefined> {
  if (accounts === undefined) return undefined;
  // The client library is large: who asks no cluster does not load it.
  const { connect } = await import("./kube/connect.ts");
  const cluster = connect(kubeconfig);
  if (!cluster.ok) throw new ScalerError("bad-settings", `${which}: ${cluster.error}`);
  const api = createKubeApi(cluster.value.door);
  return createTokenReviewer({ api, audience, accounts: new Set(accounts), clock: () => performance.now() / 1000, signal });
}
