/** OTLP answers, hand-written: two messages of one and two fields do not need a protobuf library. */

/** ExportTraceServiceResponse; with rejected spans it carries `partial_success`, else it is empty. */
export function exportResponse(rejected: number, message: string): Buffer {
  if (rejected === 0) return Buffer.alloc(0);
  const partial = Buffer.concat([Buffer.from([0x08]), varint(rejected), field(0x12, Buffer.from(message, "utf8"))]);
  return field(0x0a, partial);
}

export const exportResponseJson = (rejected: number, message: string): string =>
  JSON.stringify(rejected === 0 ? {} : { partialSuccess: { rejectedSpans: String(rejected), errorMessage: message } });

/** google.rpc.Status {code, message}, the body of OTLP/HTTP errors. 3 = INVALID_ARGUMENT, 8 = RESOURCE_EXHAUSTED, 12 = UNIMPLEMENTED. */
export const statusBody = (code: number, message: string): Buffer =>
  Buffer.concat([Buffer.from([0x08]), varint(code), field(0x12, Buffer.from(message, "utf8"))]);

export const statusBodyJson = (code: number, message: string): string => JSON.stringify({ code, message });

const field = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag]), varint(content.length), content]);

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return Buffer.from(out);
}
