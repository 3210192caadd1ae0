import { LAYOUT } from "../../../agent/gpu/layout.ts";
import { prepareFake } from "./compile.ts";

export { hasCompiler } from "./compile.ts";

/** "<gpu, or -1 for the node> <key> <value>" per line; fake-nvml.c says which keys there are. */
export type Script = readonly string[];

export interface FakeDriver {
  /** The library to load. */
  readonly library: string;
  /** The same without what drivers before R515 lack: GPM and TemperatureV. */
  readonly oldLibrary: string;
  /** The bundled NVML process. */
  readonly program: string;
  /** A fresh folder for files of the test. */
  readonly directory: string;
  /** From the next call on, the driver answers by this. */
  play(script: Script): void;
}

/** Compiles the fake driver and bundles the NVML process, once per test file. */
export async function buildFakeDriver(): Promise<FakeDriver> {
  const { directory, program, compile, play } = await prepareFake({
    ...{ source: "test/agent/gpu/fake-nvml.c", layout: LAYOUT, variable: "FAKE_NVML", program: "nvml-process" },
  });
  const [library, oldLibrary] = [compile("libnvidia-ml.so.1"), compile("old-libnvidia-ml.so.1", "-DOLD_DRIVER")];
  return { library, oldLibrary, program, directory, play };
}

/** An H200 as a script, idle; `more` is added. */
export const gpuScript = (gpu: number, ...more: Script): Script => [
  `${gpu} uuid GPU-0000000${gpu}-1111-2222-3333-444444444444`,
  `${gpu} name NVIDIA H200`,
  `${gpu} memory 150754820096 634388480 150118342656 2088960`,
  `${gpu} temperature 31`,
  `${gpu} clock.1 1980`,
  `${gpu} clock.2 3201`,
  `${gpu} reasons 0`,
  `${gpu} mig 0`,
  ...more,
];

/** Lines of a MIG device of GPU `gpu`, at `place` among its MIG devices; its own lines have the number 10 + place. */
export const migScript = (
  gpu: number,
  place: number,
  mig: { readonly instance: number; readonly profile: string; readonly slices: number; readonly memory: string },
  ...more: Script
): Script => [
  `${gpu} mig-device.${place} ${10 + place}`,
  `${10 + place} uuid MIG-0000000${place}-aaaa-bbbb-cccc-dddddddddddd`,
  `${10 + place} name NVIDIA H200 MIG ${mig.profile}`,
  `${10 + place} instance ${mig.instance}`,
  `${10 + place} slices ${mig.slices}`,
  `${10 + place} memory ${mig.memory}`,
  ...more.map((line) => `${10 + place} ${line}`),
];
