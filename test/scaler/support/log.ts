import type { Log } from "../../../scaler/log.ts";

export interface ListLog extends Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[];
}

/** A log that keeps its lines, for tests that assert what was said. */
export function listLog(): ListLog {
  const lines: ListLog["lines"] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
