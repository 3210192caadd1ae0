/** What keeps an agent from starting and its operator can mend. */
export class AgentError extends Error {
  readonly code: "port-in-use" | "cannot-listen";

  constructor(code: AgentError["code"], message: string) {
    super(message);
    this.name = "AgentError";
    this.code = code;
  }
}

/** A failed listen → a sentence that names the setting to change. */
export function listenError(cause: unknown, host: string, port: number, setting: string): AgentError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const inUse = text.includes("EADDRINUSE") || /address already in use/i.test(text);
  return inUse
    ? new AgentError("port-in-use", `${host}:${port} is in use; set ${setting} to another port`)
    : new AgentError("cannot-listen", `cannot listen on ${host}:${port} (${setting}): ${text}`);
}
