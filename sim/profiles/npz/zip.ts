import { err, ok, type Result } from "../../../core/result.ts";

/** Inflates a raw deflate stream, or says why not; never gives more than `most` bytes. */
export type Inflate = (bytes: Uint8Array, most: number) => Result<Uint8Array, string>;

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 65_535;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** An archive of arrays has a dozen members; ten megabytes are a million numbers. */
const MAX_MEMBERS = 64;
const MAX_MEMBER_BYTES = 10 * 1024 * 1024;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Members of a ZIP archive by name, read from its central directory (numpy leaves the sizes in local headers to the ZIP64 extension).
 * Stored or deflated; sizes and checksums are what the directory says, or the archive is refused.
 */
export function readZip(bytes: Uint8Array, inflate: Inflate): Result<ReadonlyMap<string, Uint8Array>, string> {
  const entries = directory(bytes);
  if (!entries.ok) return entries;
  if (entries.value.reduce((sum, { size }) => sum + size, 0) > MAX_TOTAL_BYTES)
    return err(`its members are larger than ${MAX_TOTAL_BYTES} bytes`);
  const members = new Map<string, Uint8Array>();
  for (const entry of entries.value) {
    if (members.has(entry.name)) return err(`two members are called ${entry.name}`);
    const member = extract(bytes, entry, inflate);
    if (!member.ok) return err(`member ${entry.name}: ${member.error}`);
    members.set(entry.name, member.value);
  }
  return ok(members);
}

function directory(bytes: Uint8Array): Result<readonly Entry[], string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOfDirectory(view);
  if (end === undefined) return err("no ZIP directory at its end (cut off, or no .npz file)");
  const count = view.getUint16(end + 10, true);
  if (count > MAX_MEMBERS) return err(`${count} members; an archive of arrays has at most ${MAX_MEMBERS}`);
  const entries: Entry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index += 1) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) return err("its directory is damaged");
    const [name, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    if (at + 46 + name + extra + comment > end) return err("its directory is damaged");
    if ((view.getUint16(at + 8, true) & ENCRYPTED) !== 0) return err("it is encrypted");
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at += 46 + name + extra + comment;
  }
  return ok(entries);
}

function endOfDirectory(view: DataView): number | undefined {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= 0 && at >= last - MAX_COMMENT; at -= 1) if (view.getUint32(at, true) === END) return at;
  return undefined;
}

function extract(bytes: Uint8Array, entry: Entry, inflate: Inflate): Result<Uint8Array, string> {
  const { offset, packed, size, method } = entry;
  if (size > MAX_MEMBER_BYTES) return err(`${size} bytes; at most ${MAX_MEMBER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== LOCAL) return err("its header is not where the directory says");
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > bytes.length) return err("cut off");
  const raw = bytes.subarray(start, start + packed);
  const data =
    method === STORED ? ok(raw) : method === DEFLATED ? inflate(raw, size) : err(`compression method ${method} is not supported`);
  if (!data.ok) return data;
  if (data.value.length !== size) return err(`${data.value.length} bytes, the directory says ${size}`);
  return crc32(data.value) === entry.crc ? data : err("its checksum does not fit");
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
