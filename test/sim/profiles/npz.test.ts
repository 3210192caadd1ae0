import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { inflate } from "../../../sim/profiles/read.ts";
import { readNpy, type NumericArray } from "../../../sim/profiles/npz/npy.ts";
import { readZip } from "../../../sim/profiles/npz/zip.ts";

/** Written by numpy: the script stands in the fixtures' README. */
const fixture = (path: string): Uint8Array => readFileSync(new URL(`../../fixtures/profiles/${path}`, import.meta.url));
const zip = (bytes: Uint8Array): ReturnType<typeof readZip> => readZip(bytes, inflate);

function array(archive: Uint8Array, member: string): NumericArray {
  const members = zip(archive);
  if (!members.ok) throw new Error(members.error);
  const read = readNpy(members.value.get(`${member}.npy`) ?? new Uint8Array());
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

describe("arrays as numpy writes them", () => {
  const kinds = fixture("numpy/kinds.npz");
  const table = { shape: [2, 3], values: [0, 1, 2, 3, 4, 5] };

  it.each(["f8", "f4", "big", "i4", "u2", "fortran"])("deflated, %s", (name) => {
    expect(array(kinds, name)).toEqual(table);
  });

  it("signed 64-bit numbers, scalars, empty arrays, more than two dimensions in Fortran order", () => {
    expect(array(kinds, "i8").values.map((v) => v + 0)).toEqual([0, -1, -2, -3, -4, -5]);
    expect(array(kinds, "scalar")).toEqual({ shape: [], values: [7.5] });
    expect(array(kinds, "empty")).toEqual({ shape: [0, 3], values: [] });
    expect(array(kinds, "cube")).toEqual({ shape: [2, 3, 4], values: Array.from({ length: 24 }, (_, i) => i) });
  });

  it("stored, beside arrays of text, which are refused by name of their type; and version 2 of the format", () => {
    const others = zip(fixture("numpy/others.npz"));
    expect(array(fixture("numpy/others.npz"), "numbers").values).toEqual([1, 2]);
    expect(others.ok && readNpy(others.value.get("text.npy") ?? new Uint8Array())).toMatchObject({
      ok: false,
      error: expect.stringContaining("dtype <U1 is not supported"),
    });
    expect(readNpy(fixture("numpy/version2.npy"))).toEqual({ ok: true, value: table });
  });
});

describe("archives that lie", () => {
  const honest = fixture("dynamo/selected_prefill_interpolation/raw_data.npz");
  const changed = (change: (view: DataView, directory: number) => void): Uint8Array => {
    const copy = Uint8Array.from(honest);
    const view = new DataView(copy.buffer);
    change(view, view.getUint32(copy.length - 22 + 16, true));
    return copy;
  };

  it("cut off anywhere are refused", () => {
    expect(zip(honest).ok).toBe(true);
    for (let length = 0; length < honest.length; length += 7) expect(zip(honest.subarray(0, length)).ok).toBe(false);
  });

  it.each<[string, (view: DataView, directory: number) => void, string]>([
    ["a size of four gigabytes", (view, at) => view.setUint32(at + 24, 0xffffffff, true), "larger than 67108864 bytes"],
    ["a size of eleven megabytes", (view, at) => view.setUint32(at + 24, 11_000_000, true), "at most 10485760"],
    ["a size smaller than the data", (view, at) => view.setUint32(at + 24, 10, true), "the directory says 10"],
    ["data past the end", (view, at) => view.setUint32(at + 20, 1_000_000, true), "cut off"],
    ["a member outside of the file", (view, at) => view.setUint32(at + 42, 0xfffffff0, true), "not where the directory says"],
    ["a changed number", (view) => view.setUint8(300, view.getUint8(300) ^ 1), "checksum"],
    ["an unknown method", (view, at) => view.setUint16(at + 10, 12, true), "method 12"],
    ["encryption", (view, at) => view.setUint16(at + 8, 1, true), "encrypted"],
    ["thousands of members", (view) => view.setUint16(view.byteLength - 22 + 10, 60_000, true), "at most 64"],
    ["a directory elsewhere", (view) => view.setUint32(view.byteLength - 22 + 16, 5, true), "damaged"],
  ])("%s", (_, change, said) => {
    expect(zip(changed(change))).toMatchObject({ ok: false, error: expect.stringContaining(said) });
  });

  it("a bomb is not unpacked beyond the size it states", () => {
    const packed = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    const bomb = Buffer.alloc(31 + packed.length + 47 + 22);
    bomb.writeUInt32LE(0x04034b50, 0);
    bomb.writeUInt16LE(1, 26);
    packed.copy(bomb, 31);
    const at = 31 + packed.length;
    bomb.writeUInt32LE(0x02014b50, at);
    bomb.writeUInt16LE(8, at + 10);
    bomb.writeUInt32LE(packed.length, at + 20);
    bomb.writeUInt32LE(100, at + 24);
    bomb.writeUInt16LE(1, at + 28);
    bomb.writeUInt32LE(0x06054b50, at + 47);
    bomb.writeUInt16LE(1, at + 47 + 10);
    bomb.writeUInt32LE(at, at + 47 + 16);
    const before = process.memoryUsage().arrayBuffers;
    expect(zip(bomb)).toMatchObject({ ok: false, error: expect.stringContaining("does not unpack") });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
  });

  it("arrays whose header promises another amount of data, or no plain array, are refused", () => {
    const npy = (header: string, data: number): Uint8Array => {
      const bytes = Buffer.alloc(10 + header.length + data);
      Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]).copy(bytes);
      bytes.writeUInt16LE(header.length, 8);
      bytes.write(header, 10, "latin1");
      return bytes;
    };
    const header = (shape: string, descr = "<f8"): string => `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;
    expect(readNpy(npy(header("2,"), 16))).toEqual({ ok: true, value: { shape: [2], values: [0, 0] } });
    const refused: readonly [Uint8Array, string][] = [
      [npy(header("3,"), 16), "its shape needs 24"],
      [npy(header("99999999999999999999,"), 16), "is no shape"],
      [npy(header("4294967296, 4294967296"), 16), "more than 1000000 numbers"],
      [npy(header("2,", "|O"), 16), "dtype |O is not supported"],
      [npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }", 16), "no plain dtype"],
      [npy("garbage", 16), "no plain dtype"],
      [fixture("numpy/version2.npy").subarray(0, 40), "cut off"],
      [new Uint8Array(9), "no numpy array"],
    ];
    for (const [bytes, said] of refused) expect(readNpy(bytes)).toMatchObject({ ok: false, error: expect.stringContaining(said) });
  });
});
