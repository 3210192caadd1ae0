/** GETs JSON from one of the demo's own processes; undefined when it does not answer (yet, or while it restarts). */
export async function getJson<T>(url: string, timeout = 2000): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

export async function getText(url: string, timeout = 2000): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
