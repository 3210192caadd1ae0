import { ScalerError, type ScalerSettings } from "../config.ts";
import { followFile } from "../followed-file.ts";
import type { Log } from "../log.ts";
import { parseNamedTokens, type Identify } from "./named-tokens.ts";

export interface WriteAccess {
  /** Undefined = nobody may write. */
  readonly identify: Identify | undefined;
  readonly close: () => void;
}

/** The setting writeTokens. */
export async function openWriters({ writeTokens: path }: ScalerSettings, log: Log): Promise<WriteAccess> {
  if (path === undefined) return { identify: undefined, close: () => undefined };
  const file = await followFile({
    ...{ path, parse: parseNamedTokens },
    onProblem: (problem) => log.warn({ problem }, "write: the write tokens cannot be used; the last good ones stay valid"),
  });
  if (!file.ok) throw new ScalerError("bad-settings", `writeTokens: ${file.error}`);
  const { now, close } = file.value;
  return { identify: (header) => now()(header), close };
}
