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

/**
 * Sets one of SGLang's live settings on every engine; the names of the pods that took it, and why the first that did not, did not.
 * Engines that want an admin key refuse: the scaler has none.
 */
export async function setLive(
  engines: readonly EngineAddress[],
  setting: string,
  value: number,
  signal: AbortSignal,
): Promise<{ readonly told: readonly string[]; readonly error: string | undefined }> {
  const told: string[] = [];
  let error: string | undefined;
  for (let start = 0; start < engines.length; start += AT_ONCE) {
    const batch = engines.slice(start, start + AT_ONCE);
    const answers = await Promise.all(batch.map((engine) => setOne(engine, setting, value, signal)));
    for (const [index, answer] of answers.entries()) {
      if (answer.ok) told.push(batch[index]?.pod ?? "");
      else error ??= answer.error;
    }
  }
  return { told, error };
}

async function setOne(
  { pod, url }: EngineAddress,
  setting: string,
  value: number,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  try {
    const response = await fetch(`${url}/set_internal_state`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ server_args: { [setting]: value } }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT * 1000)]),
    });
    const text = await response.text();
    return response.ok ? ok(undefined) : err(`engine of pod ${pod} answered ${response.status} ${text.slice(0, 200)}`);
  } catch (error) {
    return err(`engine of pod ${pod} does not answer at ${url}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
