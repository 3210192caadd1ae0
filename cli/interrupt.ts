/** 128 + SIGINT, as shells report it. */
export const INTERRUPTED = 130;

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP (a terminal that was closed); a second one ends the process at once, whatever still hangs.
 * A process that a demo started as a part of itself leaves SIGINT to it: Ctrl-C reaches them all, and the demo asks its parts how it went
 * before it ends them. It ends when the demo is gone, however that ended.
 */
export function interrupted(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  const isPart = process.send !== undefined;
  process.on("SIGINT", isPart ? () => undefined : stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  if (!isPart) return controller.signal;
  process.on("disconnect", () => controller.abort());
  // It was gone before this process came so far.
  if (!process.connected) controller.abort();
  return controller.signal;
}
