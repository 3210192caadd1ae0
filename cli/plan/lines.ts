/** A hello with a policy and a full profile is some 20 kB; whatever is longer than this is no message of ours. */
export const MAX_LINE_BYTES = 1024 * 1024;

export interface InputLine {
  /** 1-based. */
  readonly number: number;
  /** Undefined where the line was longer than the limit: it was dropped while it came in, never held. */
  readonly text: string | undefined;
}

const NEWLINE = 0x0a;

/** Splits a byte stream into lines of bounded size; blank lines are skipped but counted. */
export async function* readLines(input: AsyncIterable<Buffer>, limit: number = MAX_LINE_BYTES): AsyncGenerator<InputLine> {
  let parts: Buffer[] = [];
  let bytes = 0;
  let number = 0;
  const take = (): InputLine | undefined => {
    number++;
    const text = bytes > limit ? undefined : Buffer.concat(parts).toString("utf8").trim();
    parts = [];
    bytes = 0;
    return text === "" ? undefined : { number, text };
  };
  const hold = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > limit) parts = [];
    else parts.push(piece);
  };
  for await (const chunk of input) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      hold(chunk.subarray(from, at));
      from = at + 1;
      const line = take();
      if (line !== undefined) yield line;
    }
    if (from < chunk.length) hold(chunk.subarray(from));
  }
  const last = bytes > 0 ? take() : undefined;
  if (last !== undefined) yield last;
}
