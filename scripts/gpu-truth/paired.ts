import { type ReaderSupervisor, createReaderSupervisor } from "../../agent/gpu/supervisor.ts";
import { type Load, startLoad } from "./python.ts";
import { monotonic } from "./reader.ts";
import { deviation, halfWidth, mean } from "./statistics.ts";

const CONDITIONS = [
  { name: "off", period: undefined },
  { name: "1 Hz", period: 1000 },
  { name: "10 Hz", period: 100 },
] as const;
const PROBES = ["launch", "decode"] as const;
const STATISTICS = ["p50", "p99", "mean"] as const;

interface Slot {
  readonly round: number;
  readonly condition: string;
  readonly probe: string;
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
  readonly n: number;
  /** Share of one core that the NVML process took. */
  readonly readerCpu: number;
}

/**
 * Latency of small GPU steps with the agent's NVML process not polling, at 1 Hz and at 10 Hz. Each round measures all three, in an order that
 * rotates, so that drift (clocks, temperature, neighbours) falls on all alike; what is reported is each round's ratio to its own "off".
 */
export async function paired(options: {
  readonly program: string;
  readonly library: string;
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly print: (value: unknown) => void;
}): Promise<void> {
  const supervisor = createReaderSupervisor({
    ...{ name: "NVML", program: options.program, clock: monotonic },
    start: { type: "start", library: options.library, proc: "/proc" },
    ...{ startLimit: 60, readLimit: 10, restarted: (reason) => options.print({ kind: "restarted", reason }) },
  });
  const load = startLoad("latency");
  await load.next("running");
  await supervisor.read();
  const slots: Slot[] = [];
  for (let round = 0; round < options.rounds; round++)
    for (let i = 0; i < CONDITIONS.length; i++) {
      const condition = CONDITIONS[(i + round) % CONDITIONS.length];
      if (condition === undefined) continue;
      for (const probe of PROBES) {
        const slot = await measure(load, supervisor, condition.period, { probe, seconds: options.slotSeconds });
        slots.push({ round, condition: condition.name, probe, ...slot });
        options.print({ kind: "slot", round, condition: condition.name, probe, ...slot });
      }
    }
  await load.stop();
  supervisor.close();
  for (const summary of summaries(slots, options.rounds)) options.print(summary);
}

async function measure(
  load: Load,
  supervisor: ReaderSupervisor,
  period: number | undefined,
  { probe, seconds }: { readonly probe: string; readonly seconds: number },
): Promise<Omit<Slot, "round" | "condition" | "probe">> {
  const cpu = async (): Promise<number> => {
    const outcome = await supervisor.read();
    return outcome.ok ? outcome.cpuSeconds : Number.NaN;
  };
  // A read at each end gives the process's CPU time; the measured stretch lies between.
  const before = await cpu();
  const start = monotonic();
  const timer = period === undefined ? undefined : setInterval(() => void supervisor.read(), period);
  load.tell(`${probe} ${seconds}`);
  const said = await load.next("latency");
  clearInterval(timer);
  const took = monotonic() - start;
  const after = await cpu();
  return {
    ...{ p50: Number(said["p50"]), p99: Number(said["p99"]), mean: Number(said["mean"]), n: Number(said["n"]) },
    readerCpu: (after - before) / took,
  };
}

function summaries(slots: readonly Slot[], rounds: number): unknown[] {
  return PROBES.flatMap((probe) =>
    STATISTICS.map((statistic) => {
      const of = (condition: string): number[] =>
        Array.from({ length: rounds }, (_, round) => slots.find((s) => s.round === round && s.condition === condition && s.probe === probe))
          .filter((s) => s !== undefined)
          .map((s) => s[statistic]);
      const off = of("off");
      const against = (condition: string): unknown => {
        const ratios = of(condition).map((value, i) => value / (off[i] ?? Number.NaN) - 1);
        return { changePercent: mean(ratios) * 100, plusMinus95: halfWidth(ratios) * 100 };
      };
      return {
        ...{ kind: "paired", probe, statistic, rounds, offMicros: mean(off), offNoisePercent: (deviation(off) / mean(off)) * 100 },
        ...{ at1Hz: against("1 Hz"), at10Hz: against("10 Hz") },
      };
    }),
  );
}
