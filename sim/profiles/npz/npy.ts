import { err, ok, type Result } from "../../../core/result.ts";

/** Numbers in C order (last index fastest). */
export interface NumericArray {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

const MAGIC = "\u0093NUMPY";
const MAX_VALUES = 1_000_000;
const MAX_DIMENSIONS = 8;

type Read = (view: DataView, at: number, little: boolean) => number;
const TYPES: ReadonlyMap<string, readonly [size: number, read: Read]> = new Map<string, readonly [number, Read]>([
  ["f8", [8, (view, at, little) => view.getFloat64(at, little)]],
  ["f4", [4, (view, at, little) => view.getFloat32(at, little)]],
  ["i8", [8, (view, at, little) => Number(view.getBigInt64(at, little))]],
  ["u8", [8, (view, at, little) => Number(view.getBigUint64(at, little))]],
  ["i4", [4, (view, at, little) => view.getInt32(at, little)]],
  ["u4", [4, (view, at, little) => view.getUint32(at, little)]],
  ["i2", [2, (view, at, little) => view.getInt16(at, little)]],
  ["u2", [2, (view, at, little) => view.getUint16(at, little)]],
]);

/** One array as `numpy.save` writes it (format 1.0 to 3.0): real numbers of any byte order, C or Fortran order; nothing pickled. */
export function readNpy(bytes: Uint8Array): Result<NumericArray, string> {
  const header = readHeader(bytes);
  if (!header.ok) return header;
  const { descr, fortran, shape, start } = header.value;
  const type = TYPES.get(descr.slice(1));
  if (type === undefined || !/^[<>=]/.test(descr)) return err(`dtype ${descr} is not supported (floats and integers are)`);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const [size, read] = type;
  if (!(count <= MAX_VALUES)) return err(`shape (${shape.join(", ")}): more than ${MAX_VALUES} numbers`);
  if (bytes.length - start !== count * size) return err(`${bytes.length - start} bytes of data, its shape needs ${count * size}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, count * size);
  const little = !descr.startsWith(">");
  const values = Array.from({ length: count }, (_, index) => read(view, index * size, little));
  return ok({ shape, values: fortran ? toRowMajor(values, shape) : values });
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly start: number;
}

function readHeader(bytes: Uint8Array): Result<Header, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6] ?? 0;
  const fixed = major === 1 ? 10 : 12;
  if (bytes.length < fixed || String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) return err("no numpy array");
  if (major < 1 || major > 3) return err(`numpy format ${major} is not known`);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (fixed + length > bytes.length) return err("its header is cut off");
  const text = new TextDecoder().decode(bytes.subarray(fixed, fixed + length));
  const descr = /'descr':\s*'([^']{1,20})'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const extents = /'shape':\s*\(([\d, ]{0,200})\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || extents === undefined) return err("its header names no plain dtype, order and shape");
  const shape = extents.split(",").flatMap((part) => (part.trim() === "" ? [] : [Number(part)]));
  if (shape.length > MAX_DIMENSIONS || !shape.every(Number.isSafeInteger)) return err(`shape (${extents}) is no shape`);
  return ok({ descr, fortran: order === "True", shape, start: fixed + length });
}

/** First index fastest → last index fastest. */
function toRowMajor(values: readonly number[], shape: readonly number[]): number[] {
  return values.map((_, index) => {
    let rest = index;
    let at = 0;
    let stride = values.length;
    for (const extent of shape.toReversed()) {
      stride /= extent;
      at += (rest % extent) * stride;
      rest = Math.floor(rest / extent);
    }
    return values[at] ?? 0;
  });
}
