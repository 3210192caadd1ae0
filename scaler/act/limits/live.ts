import { err, ok, type Result } from "../../../core/result.ts";

/** Seconds an engine may take to answer. */
const TIMEOUT = 2;
/** Engines told at once. */
const AT_ONCE = 16;

/** Where an engine of a pod takes settings. */
export interface EngineAddress {
  readonly pod: string;
  readonly url: string;
}

/** What is set, and the key that lets one set it. */
export interface LiveSetting {
  readonly name: string;
  readonly value: number;
  /** SGLang takes its admin key for this, or its API key where it has no admin key, as a bearer token. */
  readonly key: string | undefined;
}

/** Sets one of SGLang's live settings on every engine; the names of the pods that took it, and why the first that did not, did not. */
export async function setLive(
  engines: readonly EngineAddress[],
  setting: LiveSetting,
  signal: AbortSignal,
): Promise<{ readonly told: readonly string[]; readonly error: string | undefined }> {
  const told: string[] = [];
  let error: string | undefined;
  for (let start = 0; start < engines.length; start += AT_ONCE) {
    const batch = engines.slice(start, start + AT_ONCE);
    const answers = await Promise.all(batch.map((engine) => setOne(engine, setting, signal)));
    for (const [index, answer] of answers.entries()) {
      if (answer.ok) told.push(batch[index]?.pod ?? "");
      else error ??= answer.error;
    }
  }
  return { told, error };
}

async function setOne(
  { pod, url }: EngineAddress,
  { name, value, key }: LiveSetting,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  try {
    const response = await fetch(`${url}/set_internal_state`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key !== undefined && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ server_args: { [name]: value } }),
      // A key must not follow to wherever an answer points.
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT * 1000)]),
    });
    const text = await response.text();
    if (response.ok) return ok(undefined);
    const unkeyed = response.status === 401 && key === undefined ? "; it wants a key: set engineKeyFile (FULCRUM_ENGINE_KEY_FILE)" : "";
    return err(`engine of pod ${pod} answered ${response.status} ${text.slice(0, 200)}${unkeyed}`);
  } catch (error) {
    return err(`engine of pod ${pod} does not answer at ${url}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
