/** A watch event is one object; no object in etcd is larger than 1.5 MB, and managed fields do not triple it. */
const MAX_LINE = 5 * 1024 * 1024;

/** Bytes in, whole lines out. A line over the limit throws: the watch ends and begins anew. */
export function createLineReader(onLine: (line: string) => void): { push(chunk: Buffer): void } {
  let parts: Buffer[] = [];
  let size = 0;
  return {
    push(chunk) {
      let rest = chunk;
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8");
        parts = [];
        size = 0;
        rest = rest.subarray(end + 1);
        if (line !== "") onLine(line);
      }
      size += rest.byteLength;
      if (size > MAX_LINE) throw new Error(`a watch event is over ${MAX_LINE} bytes`);
      if (rest.byteLength > 0) parts.push(rest);
    },
  };
}
