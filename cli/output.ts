/** Writes and waits where the reader is slower than we are, so that a pipe never grows in memory. */
export async function print(text: string): Promise<void> {
  const line = text.endsWith("\n") ? text : `${text}\n`;
  if (process.stdout.write(line)) return;
  await new Promise<void>((resolve) => process.stdout.once("drain", () => resolve()));
}

/** All that was printed has left the process. */
export async function flushed(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))));
}

/**
 * A reader that stops early (`fulcrum policy schema | head`) is no failure of ours. What stays until it is told to end (demo, agent, scaler)
 * ends in order, as at SIGTERM; of the others, only stdout is what they were started for.
 */
export function tolerateClosedPipe(): void {
  let told = false;
  const on = (stream: NodeJS.WriteStream): void =>
    void stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      const stays = process.listenerCount("SIGTERM") > 0;
      if (stays && !told) process.kill(process.pid, "SIGTERM");
      told = true;
      if (!stays && stream === process.stdout) process.exit(0);
    });
  on(process.stdout);
  on(process.stderr);
}
