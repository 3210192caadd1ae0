import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createGpuPage } from "../../core/engines/gpu-page.ts";
import { createEnginePage } from "../../core/engines/page.ts";
import { decodeTraces } from "../../core/otlp/protobuf.ts";
import { otlpBatch } from "../bench/otlp-batch.ts";

setFlagsFromString("--expose-gc");
// The flag puts it into contexts made from then on.
const gc = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;

/** Bytes that `rounds` calls leave behind for a full collection. Twice, because what survives one young collection may be freed by the next. */
function leftBehind(held: () => number, rounds: number, call: () => void): number {
  for (let i = 0; i < 20; i++) call();
  gc();
  const before = held();
  for (let i = 0; i < rounds; i++) {
    call();
    if (i % 10 === 0) gc({ type: "minor" });
  }
  gc({ type: "minor" });
  gc({ type: "minor" });
  return held() - before;
}

/** An agent reads a megabyte a second: what is not gone with the next young collection is paid for with full ones. */
describe("what was read and used", () => {
  it("is gone: the text of a page", () => {
    const bytes = readFileSync(new URL("../fixtures/engines/vllm-main-2026-08-nixl-decode-t1.txt", import.meta.url));
    const page = createEnginePage("vllm", "decode");
    const left = leftBehind(
      () => process.memoryUsage().heapUsed,
      100,
      () => void page.read(bytes.toString("latin1")),
    );
    expect(left).toBeLessThan(20 * bytes.length);
  });

  it("is gone: the XID codes that a GPU page made up", () => {
    const page = createGpuPage();
    let code = 0;
    let shown: readonly { readonly xid: number }[] | undefined;
    const read = (): void => {
      code++;
      const { gpus } = page.read(`DCGM_EXP_XID_ERRORS_COUNT{gpu="0",UUID="GPU-0",xid="${code}"} 1\n`);
      shown = gpus[0]?.xidCounts;
    };
    for (let i = 0; i < 5000; i++) read();
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 30_000; i++) read();
    gc();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1e6);
    expect(shown).toEqual([{ xid: code, count: 1 }]);
  });

  it("is gone: the bytes of a batch of spans", async () => {
    const batch = await otlpBatch(200, "decode-0");
    const left = leftBehind(
      () => process.memoryUsage().arrayBuffers,
      100,
      () => void decodeTraces(new Uint8Array(batch)),
    );
    expect(left).toBeLessThan(20 * batch.length);
  });
});
