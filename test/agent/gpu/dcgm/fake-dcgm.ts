import { DCGM_LAYOUT } from "../../../../agent/gpu/dcgm/layout.ts";
import { prepareFake } from "../compile.ts";

/** "<g0, i5 or -> <key> <value>" per line; fake-dcgm.c says which keys there are. */
export type DcgmScript = readonly string[];

export interface FakeDcgm {
  readonly library: string;
  /** The bundled DCGM process. */
  readonly program: string;
  readonly directory: string;
  play(script: DcgmScript): void;
}

/** Compiles the fake client library, which has a host engine inside, and bundles the DCGM process, once per test file. */
export async function buildFakeDcgm(): Promise<FakeDcgm> {
  const { directory, program, compile, play } = await prepareFake({
    ...{ source: "test/agent/gpu/dcgm/fake-dcgm.c", layout: DCGM_LAYOUT, variable: "FAKE_DCGM", program: "dcgm-process" },
  });
  return { library: compile("libdcgm.so.4"), program, directory, play };
}

export const HOST = "127.0.0.1:5555";

/** A host engine with the GPUs that are given. */
export const engineScript = (gpus: string, ...more: DcgmScript): DcgmScript => [`- listens ${HOST} 0`, `- gpus ${gpus}`, ...more];

export const uuidOf = (gpu: number): string => `GPU-0000000${gpu}-1111-2222-3333-444444444444`;

/** An H200 under load; what `more` says first of a key counts. */
export const dcgmGpu = (gpu: number, ...more: DcgmScript): DcgmScript => [
  ...more.map((line) => `g${gpu} ${line}`),
  ...[
    ...["field.1 s 580.159.04", "field.50 s NVIDIA H200", `field.52 i ${gpu}`, `field.54 s ${uuidOf(gpu)}`, "field.67 i 0", "field.69 i 7"],
    ...["field.100 i 1980", "field.101 i 3201", "field.140 i 52", "field.150 i 41", "field.155 d 431.25"],
    ...["field.250 i 143771", "field.252 i 2048", "field.310 i 7", "field.311 i 2"],
    ...["field.393 i 1", "field.394 i 3", "field.395 i 0", "field.396 i 1", "field.112 i 4", "field.1420 i 1500000000", "field.1421 i 0"],
    ...["field.1002 d 0.75", "field.1003 d 0.5", "field.1004 d 0.25", "field.1005 d 0.5", "field.1006 d 0", "field.1007 d 0.125"],
    ...["field.1008 d 0.0625", "field.1009 d 1000", "field.1010 d 2000", "field.1011 i 3000", "field.1012 d 4000"],
  ].map((line) => `g${gpu} ${line}`),
];
