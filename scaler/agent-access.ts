import { ScalerError, type ScalerSettings } from "./config.ts";
import { authorizer, openTokenFile, type Authorize } from "./intake/server-auth.ts";
import type { Log } from "./log.ts";

/** Who may open the agents' link, by the settings `token` and `agentTokens`. Without either, everybody who can reach the port. */
export async function openAgentAccess(
  { token, agentTokens }: ScalerSettings,
  log: Log,
): Promise<{ readonly authorize: Authorize; readonly close: () => void }> {
  const also = token === undefined ? [] : [token];
  if (agentTokens === undefined) return { authorize: authorizer(token === undefined ? undefined : also), close: () => undefined };
  const file = await openTokenFile({
    path: agentTokens,
    also,
    onProblem: (problem) => log.warn({ problem }, "intake: the agents' tokens cannot be used; the last good ones stay valid"),
  });
  if (!file.ok) throw new ScalerError("bad-settings", `agentTokens: ${file.error}`);
  return file.value;
}
