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

/** A reader that stops early (`fulcrum policy schema | head`) is no failure of ours. */
export function tolerateClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}
