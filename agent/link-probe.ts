import type { Result } from "../core/result.ts";
import { type ClientCertificate, readClientCertificate } from "./client-certificate.ts";
import type { AgentSettings } from "./config.ts";
import { failureCause, refusalCause } from "./link-failure.ts";
import { HANDSHAKE_SECONDS, openSocket } from "./link.ts";
import { createLog } from "./log.ts";
import { createTokenSource } from "./token.ts";

/** The client certificate as it lies there now; undefined where none is set. */
export const probeCertificate = (settings: AgentSettings): Result<ClientCertificate | undefined, string> => readClientCertificate(settings);

export type LinkAnswer =
  | { readonly open: true }
  /** `status` of HTTP, where the scaler answered at all. */
  | { readonly open: false; readonly cause: string; readonly status?: number };

/** Whether the scaler opens the link for what this agent presents. It leaves without a hello: no agent is displaced. */
export function probeLink(settings: AgentSettings): Promise<LinkAnswer> {
  const pair = readClientCertificate(settings);
  const socket = openSocket({
    url: settings.scalerUrl,
    token: createTokenSource(settings, createLog("doctor", "silent")),
    certificate: () => (pair.ok ? pair.value : undefined),
  });
  return new Promise((resolve) => {
    socket.on("open", () => {
      socket.close(1000);
      resolve({ open: true });
    });
    socket.on("error", (error) => resolve({ open: false, cause: failureCause(error) }));
    socket.on("unexpected-response", (_, response) =>
      refusalCause(response, HANDSHAKE_SECONDS, (cause) => {
        resolve({ open: false, cause, status: response.statusCode ?? 0 });
        socket.terminate();
      }),
    );
  });
}
