/** 128 + SIGINT, as shells report it. */
const INTERRUPTED = 130;

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once, whatever still hangs. */
export function interrupted(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
}
