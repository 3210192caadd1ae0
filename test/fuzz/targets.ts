import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { parseTargets } from "../../agent/config-targets.ts";
import { parseNetDev, totalOf } from "../../agent/nic/network.ts";
import { createGpuPage } from "../../core/engines/gpu-page.ts";
import { type EngineSample, createEnginePage } from "../../core/engines/page.ts";
import { parsePage } from "../../core/exposition/parse.ts";
import { createHalfAssembler } from "../../core/otlp/request-half.ts";
import { gpuHolders } from "../../core/kubelet/gpu-holders.ts";
import { decodePodResources } from "../../core/kubelet/pod-resources.ts";
import { decodeTracesJson } from "../../core/otlp/json.ts";
import { decodeTraces } from "../../core/otlp/protobuf.ts";
import { importProfile } from "../../sim/profiles/import.ts";
import { parseProfile } from "../../sim/profiles/load.ts";
import { inflate } from "../../sim/profiles/read.ts";
import { decodeAgentMessage } from "../../wire/codec.ts";
import { otlpBatch } from "../bench/otlp-batch.ts";

/** One thing that reads bytes from outside, and what must hold whatever they are. Its property throws when something does not. */
export interface FuzzTarget {
  readonly name: string;
  readonly property: () => fc.IRawProperty<unknown>;
}

const fixture = (path: string): string => readFileSync(new URL(`../fixtures/${path}`, import.meta.url), "utf8");
const PAGES = [
  "engines/vllm-main-2026-08-nixl-decode-t1.txt",
  "engines/sglang-main-2026-08-prefill.txt",
  "engines/dynamo-frontend-main-2026-08.txt",
].map(fixture);
const GPUS = fixture("gpu/dcgm-exporter-kops-l4-1.txt");
const TRACES = fixture("otlp/otlp-vllm-main-2026-08-decode.json");

/** `ns/p` was given `GPU-1` and `GPU-1::2` of `nvidia.com/gpu`, as the kubelet encodes it. */
const POD_RESOURCES = Buffer.from(
  "0a3d0a017012026e731a340a0163122f0a0e6e76696469612e636f6d2f67707512054750552d3112084750552d313a3a321a0c0a0208010a0608808080800118011801",
  "hex",
);

function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Places to change and what to put there, as fractions so that they fit any text. */
const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    remove: fc.constantFrom(0, 0, 1, 2, 20, 500),
    insert: fc.oneof(
      fc.constantFrom("", "\n", '"', "\\", "{", "}", ",", "=", " ", "#", "NaN", "1e999", "-", "\0", "\uD800", "# EOF\n", "[", ":", "null"),
      fc.string({ unit: "binary", maxLength: 12 }),
    ),
  }),
  { minLength: 1, maxLength: 12 },
);
type Edits = readonly { readonly at: number; readonly remove: number; readonly insert: string }[];

function edited(text: string, changes: Edits): string {
  let out = text;
  for (const { at, remove, insert } of changes) {
    const from = Math.floor(at * out.length);
    out = out.slice(0, from) + insert + out.slice(from + remove);
  }
  return out;
}

function editedBytes(bytes: Uint8Array, changes: Edits): Uint8Array {
  let out = Buffer.from(bytes);
  for (const { at, remove, insert } of changes) {
    const from = Math.floor(at * out.length);
    out = Buffer.concat([out.subarray(0, from), Buffer.from(insert, "latin1"), out.subarray(from + remove)]);
  }
  return new Uint8Array(out);
}

/** A page as what was done to which fixture: a failure then prints the edits, not 60 kB. */
const pages = fc.oneof(
  fc.record({ page: fc.nat(PAGES.length - 1), edits }),
  fc.string({ unit: "binary" }).map((text) => ({ text })),
);
type PageInput = { readonly page: number; readonly edits: Edits } | { readonly text: string };
const pageText = (input: PageInput): string => ("text" in input ? input.text : edited(PAGES[input.page] ?? "", input.edits));

function same(warm: unknown, cold: unknown, where: string): void {
  if (!isDeepStrictEqual(warm, cold)) throw new Error(`${where}: ${JSON.stringify(warm)} from the cache, ${JSON.stringify(cold)} without`);
}

const figuresOf = ({ counters, gauges, distributions, processStartTime }: EngineSample) => ({
  ...{ counters, gauges, distributions },
  ...(processStartTime !== undefined && { processStartTime }),
});

const finite = (values: readonly (number | undefined)[]): boolean => values.every((v) => v === undefined || Number.isFinite(v));

/** A batch as the SDK's exporter sends it; made once, before the properties run. */
const BATCH = await otlpBatch(5, "decode-0");

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: "engine page: a warm reader sees of any page what a fresh one sees, and every figure is finite",
    property: () => {
      const warm = createEnginePage("vllm", "decode");
      return fc.property(fc.array(pages, { minLength: 1, maxLength: 3 }), (inputs) => {
        for (const text of inputs.map(pageText)) {
          const fresh = createEnginePage("vllm", "decode");
          const cold = fresh.read(text);
          holds(finite(Object.values(cold.counters)) && finite(Object.values(cold.gauges)), "a figure is not finite");
          const sample = warm.read(text);
          same({ ...sample, ...figuresOf(cold) }, cold, "after another page");
          // Figures of which a series has just gone are absent for one read; none is ever another.
          for (const kind of ["counters", "gauges", "distributions"] as const)
            for (const [name, figure] of Object.entries(sample[kind])) same(figure, new Map(Object.entries(cold[kind])).get(name), name);
          same(warm.read(text), cold, "after the same page");
          same(warm.drift(), fresh.drift(), "its drift");
        }
      });
    },
  },
  {
    name: "whole page: any text is samples and problems, bounded by its lines",
    property: () =>
      fc.property(pages, (input) => {
        const text = pageText(input);
        const page = parsePage(text);
        const lines = text.split("\n").length;
        holds(page.samples.length <= lines, "more samples than lines");
        holds(page.problems.length <= page.problemCount, "more problems kept than counted");
      }),
  },
  {
    name: "GPU page: what is read is finite, whatever the text",
    property: () => {
      const reader = createGpuPage();
      return fc.property(edits, (changes) => {
        for (const gpu of reader.read(edited(GPUS, changes)).gpus) {
          holds(finite([gpu.smActive, gpu.tensorActive, gpu.powerWatts, gpu.memoryUsedBytes, gpu.energyJoules]), "a figure is not finite");
        }
      });
    },
  },
  {
    name: "OTLP protobuf: any bytes are a batch or an error, and every span of a batch makes sense",
    property: () => {
      const assembler = createHalfAssembler(100);
      const bytes = fc.oneof(
        edits.map((changes) => editedBytes(BATCH, changes)),
        fc.uint8Array({ maxLength: 400 }),
      );
      return fc.property(bytes, fc.boolean(), (body, sample) => {
        const decoded = decodeTraces(body, undefined, sample ? (id) => id.endsWith("0") : undefined);
        if (!decoded.ok) return holds(decoded.error.offset <= body.length, "the error is behind the end");
        const { spans, resources } = decoded.value;
        holds(resources.reduce((n, r) => n + r.spans.length, 0) === spans, "the number of spans is not their number");
        for (const span of resources.flatMap((r) => r.spans))
          holds(span.end >= span.start && span.traceId.length === 32, "a span out of place");
        assembler.add(decoded.value);
        holds(assembler.pending() <= 200, "stages pile up");
      });
    },
  },
  {
    name: "pod resources: any bytes are allocations or an error, and what they hold can be looked up",
    property: () =>
      fc.property(
        fc.oneof(
          edits.map((changes) => editedBytes(POD_RESOURCES, changes)),
          fc.uint8Array({ maxLength: 400 }),
        ),
        (body) => {
          const decoded = decodePodResources(body);
          if (!decoded.ok) return holds(decoded.error !== "", "an error without a word");
          const holders = gpuHolders(decoded.value, new Map());
          for (const { device } of decoded.value)
            if (device.by === "plugin" && /^GPU-[^:]*$/.test(device.id))
              holds(holders.of({ uuid: device.id, gpu: "" }).length > 0, "a GPU that was given to nobody");
        },
      ),
  },
  {
    name: "OTLP JSON: any text is a batch or an error",
    property: () => {
      const texts = fc.oneof(
        edits.map((changes) => edited(TRACES, changes)),
        fc.json(),
        fc.string(),
      );
      return fc.property(texts, (text) => {
        const decoded = decodeTracesJson(text);
        if (!decoded.ok) return;
        for (const span of decoded.value.resources.flatMap((r) => r.spans)) holds(span.end >= span.start, "a span out of place");
      });
    },
  },
  {
    name: "wire: a message is refused with a reason or is valid, and then says the same when sent again",
    property: () => {
      const report = { type: "hello", v: 1, node: "n", boot: "b", version: "1" };
      const texts = fc.oneof(
        edits.map((changes) => edited(JSON.stringify(report), changes)),
        fc.json(),
      );
      return fc.property(texts, (text) => {
        const message = decodeAgentMessage(text);
        if (!message.ok) return holds(message.error.message.length > 0 && message.error.message.length <= 300, "no reason");
        const again = decodeAgentMessage(JSON.stringify(message.value));
        holds(again.ok && isDeepStrictEqual(again.value, message.value), "it does not survive another trip");
      });
    },
  },
  {
    name: "targets file: any text is targets or a reason",
    property: () => {
      const good = JSON.stringify({
        node: "n",
        engines: [{ url: "http://a/metrics", namespace: "s", pod: "p" }],
        gpus: [{ url: "http://g" }],
      });
      const texts = fc.oneof(
        edits.map((changes) => edited(good, changes)),
        fc.json(),
      );
      return fc.property(texts, (text) => {
        const parsed = parseTargets(text, "n");
        if (!parsed.ok) holds(parsed.error.length > 0, "no reason");
      });
    },
  },
  {
    name: "/proc/net/dev: any text is a sum or nothing",
    property: () => {
      const good =
        "Inter-| Receive\n face |bytes\n  eth0: 1500 10 0 0 0 0 0 0 2500 12 0 0 0 0 0 0\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n";
      return fc.property(edits, (changes) => {
        const bytes = totalOf(parseNetDev(edited(good, changes)));
        holds(bytes === undefined || finite([bytes.received, bytes.transmitted]), "a sum is not finite");
      });
    },
  },
  {
    name: "profiles of other tools: any archive or table is a profile of finite numbers, or reasons",
    property: () => {
      const npz = ["selected_prefill_interpolation", "selected_decode_interpolation"].map((path) =>
        readFileSync(new URL(`../fixtures/profiles/dynamo/${path}/raw_data.npz`, import.meta.url)),
      );
      const csv = fixture("profiles/aiconfigurator/isl512/disagg/pareto.csv");
      const sources = fc.oneof(
        edits.map((changes) => npz.map((bytes) => editedBytes(bytes, changes))),
        edits.map((changes) => [new TextEncoder().encode(edited(csv, changes))]),
      );
      return fc.property(sources, (files) => {
        const given = { model: "Llama-3.1-8B" };
        const imported = importProfile(
          files.map((bytes, index) => ({ name: `${index}`, bytes })),
          { given, inflate },
        );
        if (!imported.ok) return holds(imported.error.length > 0 && imported.error.every((reason) => reason.length > 0), "no reason");
        const { profile } = imported.value;
        const read = parseProfile(JSON.stringify(profile), "again");
        holds(read.ok && isDeepStrictEqual(read.value, profile), "it is no profile file");
      });
    },
  },
];
