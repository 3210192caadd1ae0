/**
 * CPU time of one decision for one policy, observation in, decision out, at a budget of 64 GPUs; then of one round of many policies,
 * two pools each, against the interval they have.
 *   npx tsx test/bench/decide.ts [--gpus 64] [--pools 200]
 */
import { parseArgs } from "node:util";
import { fulcrum } from "../../scaler/decide/controller.ts";
import { h200Prior, observationOf, testPolicy } from "../support/observations.ts";

const { values } = parseArgs({ options: { gpus: { type: "string", default: "64" }, pools: { type: "string", default: "200" } } });
const gpus = Number(values.gpus);
const policy = testPolicy({ budget: { gpus } });
let state = fulcrum.start(policy, h200Prior, 0);
let { prefill, decode } = { prefill: 4, decode: 4 };
const cpu: number[] = [];
for (let i = 1; i <= 1200; i++) {
  const load = { at: i * 5, rate: 60 + 55 * Math.sin(i / 40), isl: 2500, osl: 300, prefill, decode };
  const observation = observationOf(load);
  const began = process.cpuUsage();
  const next = fulcrum.tick(state, observation, policy);
  const spent = process.cpuUsage(began);
  if (i > 200) cpu.push((spent.user + spent.system) / 1000);
  state = next.state;
  prefill = next.decision.pools.prefill.replicas;
  decode = next.decision.pools.decode.replicas;
}
cpu.sort((a, b) => a - b);
const at = (q: number): string => (cpu[Math.floor(q * (cpu.length - 1))] ?? Number.NaN).toFixed(2);
console.log(`one decision at ${gpus} GPUs, ms of CPU over ${cpu.length} ticks: median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`);

const policies = Math.ceil(Number(values.pools) / 2);
let states = Array.from({ length: policies }, () => fulcrum.start(policy, h200Prior, 0));
const rounds: number[] = [];
for (let i = 1; i <= 120; i++) {
  const seen = states.map((_, k) =>
    observationOf({ at: i * 5, rate: 60 + 55 * Math.sin((i + 3 * k) / 40), isl: 2500, osl: 300, prefill: 6, decode: 6 }),
  );
  const began = process.cpuUsage();
  states = states.map((s, k) => {
    const observation = seen[k];
    return observation === undefined ? s : fulcrum.tick(s, observation, policy).state;
  });
  const spent = process.cpuUsage(began);
  if (i > 60) rounds.push((spent.user + spent.system) / 1e6);
}
rounds.sort((a, b) => a - b);
const round = rounds[Math.floor(0.99 * (rounds.length - 1))] ?? Number.NaN;
const { interval } = policy.spec.behavior;
console.log(
  `${2 * policies} pools: ${round.toFixed(3)} s of CPU per round (p99), ${((100 * round) / interval).toFixed(1)} % of an interval of ${interval} s`,
);
