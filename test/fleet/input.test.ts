import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseFleetSettings } from "../../fleet/config.ts";
import { readLimits, readScale, readTruthQuery } from "../../fleet/control-input.ts";
import { createPlacer } from "../../fleet/placement.ts";
import { requestIds } from "../../fleet/trace-ids.ts";
import { loadWorkload } from "../../fleet/workload.ts";

const minimal = { port: 0, runDir: "run", nodes: [{ name: "node-a", gpus: 4 }] };
const settings = (more: object) => {
  const parsed = parseFleetSettings({ ...minimal, ...more });
  if (!parsed.ok) throw parsed.error;
  return parsed.value;
};

describe("fleet settings", () => {
  it("fill in what may be left out", () => {
    expect(settings({})).toMatchObject({ engine: "vllm", rate: 1, workload: { kind: "builtin" }, limits: { maxNumSeqs: 256 } });
  });

  it.each([
    [{ port: 70_000 }, "port"],
    [{ nodes: [] }, "nodes"],
    [{ nodes: [{ name: "Node A", gpus: 4 }] }, "nodes.0.name"],
    [{ nodes: [minimal.nodes[0], minimal.nodes[0]] }, "two nodes are called node-a"],
    [{ engine: "trtllm" }, "engine"],
    [{ workload: { kind: "trace" } }, "workload.path"],
    [{ rate: 0 }, "rate"],
  ])("%o: the error names the field", (wrong, field) => {
    const parsed = parseFleetSettings({ ...minimal, ...wrong });
    expect(parsed.ok ? "accepted" : parsed.error.message).toContain(field);
  });

  it("a missing trace, a bad row, an empty window and a bad profile say where", async () => {
    const dir = await mkdtemp(join(tmpdir(), "fulcrum-fleet-"));
    const trace = join(dir, "bad.csv");
    await writeFile(trace, "arrival,input_tokens,output_tokens\n1,100,10\n2,x,10\n");
    const profile = join(dir, "profile.json");
    await writeFile(profile, '{"name":"p"}');
    const load = (more: object) => loadWorkload(settings(more));
    await expect(load({ workload: { kind: "trace", path: join(dir, "none.csv") } })).rejects.toMatchObject({
      code: "bad-trace",
      message: expect.stringContaining("none.csv") as string,
    });
    await expect(load({ workload: { kind: "trace", path: trace } })).rejects.toMatchObject({
      code: "bad-trace",
      message: expect.stringContaining("bad.csv:3") as string,
    });
    await expect(load({ from: 5000 })).rejects.toMatchObject({
      code: "bad-trace",
      message: expect.stringContaining("no request") as string,
    });
    await expect(load({ profile })).rejects.toMatchObject({
      code: "bad-profile",
      message: expect.stringContaining("kvBytesPerToken") as string,
    });
  });
});

describe("commands", () => {
  it.each(["", "[]", "{}", '{"replicas":-1}', '{"replicas":1.5}', '{"replicas":"2"}', '{"replicas":1e9}'])("scale refuses %s", (text) => {
    expect(readScale(text)).toMatchObject({ ok: false, error: { code: "bad-request" } });
  });

  it("scale and limits take what they should, limits only the pool's own", () => {
    expect(readScale('{"replicas":0}')).toEqual({ ok: true, value: 0 });
    expect(readLimits('{"maxNumSeqs":64}', "decode")).toEqual({ ok: true, value: { maxNumSeqs: 64 } });
    expect(readLimits('{"maxNumSeqs":64}', "prefill")).toMatchObject({ ok: false });
    expect(readLimits('{"maxBatchedTokens":0}', "prefill")).toMatchObject({ ok: false });
  });

  it("truth wants seconds above zero", () => {
    expect(readTruthQuery(new URLSearchParams("ttft=0.5&raw=1"))).toEqual({ ok: true, value: { ttft: 0.5, raw: true } });
    expect(readTruthQuery(new URLSearchParams("itl=fast"))).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("itl") as string },
    });
  });
});

describe("placement and identifiers", () => {
  it("spreads replicas over nodes and takes GPUs back", () => {
    const placer = createPlacer([
      { name: "a", gpus: 2 },
      { name: "b", gpus: 2 },
    ]);
    const first = placer.place(1);
    expect([first, placer.place(1), placer.place(1), placer.place(1)].map(({ node, gpus }) => `${node}${gpus.join()}`)).toEqual([
      "a0",
      "b0",
      "a1",
      "b1",
    ]);
    expect(placer.place(1).gpus).toEqual([]);
    placer.release(first);
    expect(placer.place(1)).toEqual(first);
  });

  it("ids are valid, the same for the same seed and request, and do not repeat", () => {
    const all = Array.from({ length: 20_000 }, (_, id) => requestIds(7, id));
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(all.length);
    expect(new Set(all.map(({ room }) => room)).size).toBe(all.length);
    expect(all.every(({ traceId, parentSpanId }) => /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(parentSpanId))).toBe(true);
    expect(requestIds(7, 3)).toEqual(all[3]);
    expect(requestIds(8, 3).traceId).not.toBe(all[3]?.traceId);
  });
});
