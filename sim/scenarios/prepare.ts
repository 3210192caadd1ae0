import { err, ok, type Result } from "../../core/result.ts";
import { parseDuration } from "../../core/duration.ts";
import { parseFault, type Fault } from "../backtest/faults.ts";
import type { BacktestSetup } from "../backtest/setup.ts";
import { defaultProfile, slowProfile } from "../profiles/load.ts";
import { toPrior } from "../../scaler/policy/profile.ts";
import { generateTrace } from "../traces/generate.ts";
import { multiplyRate, windowTrace } from "../traces/rate.ts";
import type { Trace } from "../traces/trace.types.ts";
import type { Scenario } from "./config.ts";

/** Quick runs look at this much of the generated traffic. */
const QUICK_SECONDS = 900;

/** The scenario's back-test, or why it cannot be run (a fault this plant does not know). */
export function prepareScenario(
  scenario: Scenario,
  recorded: Trace | undefined,
  seed: number,
  quick: boolean,
): Result<BacktestSetup, string> {
  const faults: Fault[] = [];
  for (const text of scenario.faults) {
    const fault = parseFault(text, parseDuration);
    if (!fault.ok) return err(fault.error);
    faults.push(fault.value);
  }
  const whole = recorded === undefined ? generated(scenario, seed) : fitted(recorded, scenario, seed);
  const trace = quick ? windowTrace(whole, 0, QUICK_SECONDS) : whole;
  const prior = toPrior(slowProfile(defaultProfile, scenario.slow));
  const believed =
    scenario.believed === undefined ? {} : { believed: toPrior(slowProfile(defaultProfile, scenario.slow * scenario.believed)) };
  const policy = {
    apiVersion: "fulcrum.dev/v1alpha1" as const,
    kind: "ScalingPolicy" as const,
    metadata: { name: scenario.name, namespace: "scoreboard" },
    spec: { ...scenario.policy, mode: "enforce" as const, schedule: [] },
  };
  return ok({ policy, prior, ...believed, trace, seed, faults });
}

function generated({ name, generated: phases }: Scenario, seed: number): Trace {
  const [first] = phases;
  if (first === undefined) throw new Error(`scenario ${name} has no phase`);
  return generateTrace({ name: `generated: ${name}`, start: first, phases }, seed);
}

function fitted(recorded: Trace, { shared }: Scenario, seed: number): Trace {
  return multiplyRate(windowTrace(recorded, shared?.from, shared?.to), shared?.rate ?? 1, seed);
}
