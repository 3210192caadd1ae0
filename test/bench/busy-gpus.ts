import { type Script, buildFakeDriver, gpuScript } from "../agent/gpu/fake-driver.ts";

export interface BusyGpus {
  /** The driver library to give the agent. */
  readonly library: string;
  stop(): void;
}

/** GPUs behind NVML, through the same library calls as real ones; GPM's counters move, so every figure of every GPU is there in each read. */
export async function startBusyGpus(gpus: number): Promise<BusyGpus> {
  const driver = await buildFakeDriver();
  let clock = 1;
  const play = (): void => driver.play([...node(gpus, clock), ...Array.from({ length: gpus }, (_, gpu) => busy(gpu, clock)).flat()]);
  play();
  const timer = setInterval(() => {
    clock++;
    play();
  }, 1000);
  return { library: driver.library, stop: () => clearInterval(timer) };
}

const node = (gpus: number, clock: number): Script => ["-1 driver 580.159.04", `-1 devices ${gpus}`, `-1 gpm-clock ${clock}`];

/** The GPM metrics and fields that the reader asks for (agent/gpu/fields.ts); GPM answers the growth between two samples. */
function busy(gpu: number, clock: number): Script {
  const shares = [2, 3, 5, 10, 11, 12, 13].map((id) => `${gpu} gpm.${id} ${clock * (30 + id)}`);
  const rates = [20, 21, 60, 61].map((id) => `${gpu} gpm.${id} ${clock * 1000}`);
  const fields = [3, 4, 142, 143, 144, 145].map((id) => `${gpu} field.${id} 1 0`);
  return gpuScript(
    gpu,
    ...shares,
    ...rates,
    ...fields,
    `${gpu} field.185 1 512000`,
    `${gpu} field.82 1 61`,
    `${gpu} process ${1000 + gpu} 1024`,
  );
}
