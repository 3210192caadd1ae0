/**
 * Bytes in, whole lines out; empty ones are left out. A line over `limit` bytes throws, and so ends the stream it came from. A byte 10 is a
 * line's end whatever stands around it: UTF-8 has it in no other character.
 */
export function createLineReader(limit: number, onLine: (line: string) => void): { push(chunk: Uint8Array): void } {
  let parts: Uint8Array[] = [];
  let size = 0;
  return {
    push(chunk) {
      let rest = chunk;
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = textOf([...parts, rest.subarray(0, end)]);
        parts = [];
        size = 0;
        rest = rest.subarray(end + 1);
        if (line !== "") onLine(line);
      }
      size += rest.byteLength;
      if (size > limit) throw new Error(`a line is over ${limit} bytes`);
      if (rest.byteLength > 0) parts.push(rest);
    },
  };
}

/** One decoder per line: a character that two chunks share is put together again. */
function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}
