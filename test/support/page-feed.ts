import type { Candidate, Decision, Reason } from "../../core/decision.ts";
import type { PageDecision, PageFrame, PageLink, PageMessage, PagePolicy, PagePool, PageState } from "../../wire/page.ts";

/**
 * Five scripted minutes of one policy as the page hears them: chat → long prompts → burst → quiet. A fluid model,
 * not the simulator: it needs to look like a fleet, be the same each time, and hold every case the page must show
 * (absent values, a silence, a hold, a failed action).
 */
export interface PageScript {
  readonly policy: string;
  /** One frame a second, oldest first. */
  readonly frames: readonly PageFrame[];
  readonly decisions: readonly PageDecision[];
  stateAt(at: number): PageState;
}

export const SCRIPT_SECONDS = 300;
const POLICY = "llama-8b";
const TARGET = { ttft: 0.5, itl: 0.03 };
const BUDGET = 10;
const VELOCITY = { prefill: 21_000, decode: 3_400 };
const KV_BYTES_PER_TOKEN = 131_072;
const LEAD = 12;

/** Prompt and output tokens per second asked for, by phase of the script. */
function demand(t: number): { readonly prompt: number; readonly output: number } {
  const wave = 1 + 0.08 * Math.sin(t / 9) + 0.05 * Math.sin(t / 2.3);
  if (t < 75) return { prompt: 24_000 * wave, output: 7_200 * wave };
  if (t < 150) return { prompt: 62_000 * wave, output: 5_200 * wave };
  if (t < 210) return { prompt: 52_000 * wave, output: 14_500 * wave };
  return { prompt: 13_000 * wave, output: 3_800 * wave };
}

class Pool {
  readonly role: PagePool["role"];
  ready: number;
  desired: number;
  starts: number[] = [];
  draining = 0;
  backlog = 0;
  served = 0;

  constructor(role: PagePool["role"], ready: number) {
    this.role = role;
    this.ready = this.desired = ready;
  }

  step(t: number, asked: number): void {
    this.ready += this.starts.filter((s) => s + LEAD <= t).length;
    this.starts = this.starts.filter((s) => s + LEAD > t);
    if (t % 6 === 0) this.draining = 0;
    const room = this.ready * VELOCITY[this.role];
    this.served = Math.min(room, asked + this.backlog);
    this.backlog = Math.min(40_000, Math.max(0, this.backlog + asked - this.served));
  }

  scaleTo(t: number, wanted: number): void {
    for (let n = this.desired; n < wanted; n++) this.starts.push(t);
    if (wanted < this.desired) {
      this.draining = this.desired - wanted;
      this.ready -= this.draining;
    }
    this.desired = wanted;
  }

  get utilization(): number {
    return this.served / Math.max(1, this.ready * VELOCITY[this.role]);
  }
}

export function pageScript(start: number, mode: PagePolicy["mode"] = "enforce"): PageScript {
  const pools = { prefill: new Pool("prefill", 2), decode: new Pool("decode", 4) };
  const frames: PageFrame[] = [];
  const decisions: PageDecision[] = [];
  for (let t = 0; t <= SCRIPT_SECONDS; t++) {
    const asked = demand(t);
    pools.prefill.step(t, asked.prompt);
    pools.decode.step(t, asked.output);
    if (t > 0 && t % 5 === 0) decisions.push(decide(start, t, pools, asked));
    // A silence of the scaler: lines must break, not bridge it.
    if (t < 222 || t > 236) frames.push(frameAt(start, t, pools));
  }
  return { policy: POLICY, frames, decisions, stateAt: (at) => stateAt(at, mode, decisions) };
}

function frameAt(start: number, t: number, pools: { prefill: Pool; decode: Pool }): PageFrame {
  const noise = 1 + 0.06 * Math.sin(t * 1.7) + 0.04 * Math.sin(t * 4.1);
  const { prefill, decode } = pools;
  const wait = prefill.backlog / Math.max(1, prefill.ready * VELOCITY.prefill);
  const ttft = (0.09 + 0.11 * prefill.utilization ** 3 + wait) * noise;
  const itl = (0.0085 + 0.016 * decode.utilization ** 2 + decode.backlog / 1.5e6) * noise;
  const learned = t >= 20;
  return {
    at: start + t,
    policy: POLICY,
    ttft: latencyPart(ttft, ttft * (1.7 + 0.2 * noise), TARGET.ttft),
    itl: latencyPart(itl, itl * 1.22, TARGET.itl),
    pools: [poolPart(prefill, t, learned), poolPart(decode, t, learned)],
    transfer: t < 10 ? null : { bytesPerSecond: prefill.served * KV_BYTES_PER_TOKEN * noise, failures: t % 97 === 0 ? 1 : 0 },
    predicted: { ttft: learned ? (ttft * 1.75) / noise : null, itl: learned ? (itl * 1.2) / noise : null },
  };
}

function latencyPart(p50: number, p95: number, target: number) {
  const attainment = p95 <= target ? 1 - 0.05 * (p95 / target) ** 4 : Math.max(0.05, 0.95 * (target / p95) ** 1.4);
  return { p50, p95, target, attainment };
}

function poolPart(pool: Pool, t: number, learned: boolean): PagePool {
  const prefill = pool.role === "prefill";
  const busy = pool.utilization;
  // The GPU page of the prefill node is lost for a while: absent, not idle.
  const gpuLost = prefill && t >= 100 && t < 130;
  return {
    role: pool.role,
    name: `llama-${pool.role}`,
    ready: pool.ready,
    starting: pool.starts.length,
    draining: pool.draining,
    desired: pool.desired,
    waiting: Math.round(pool.backlog / (prefill ? 1300 : 210)),
    running: Math.round(pool.ready * busy * (prefill ? 3 : 58)),
    kvUsage: prefill ? null : Math.min(0.97, 0.12 + 0.7 * busy),
    limit: prefill ? (t < 90 ? 8192 : 4096) : t < 160 ? 256 : 192,
    tokensPerSecond: pool.served,
    velocity: learned ? VELOCITY[pool.role] * (1 + 0.02 * Math.sin(t / 30)) : null,
    gpu: gpuLost
      ? { sm: null, tensor: null, dram: null, powerWatts: null }
      : {
          sm: 0.2 + 0.75 * busy,
          tensor: prefill ? 0.08 + 0.6 * busy : 0.03 + 0.11 * busy,
          dram: prefill ? 0.1 + 0.22 * busy : 0.12 + 0.66 * busy,
          powerWatts: pool.ready * (160 + (prefill ? 480 : 300) * busy),
        },
  };
}

type Plan = { readonly prefill: number; readonly decode: number };

function decide(start: number, t: number, pools: { prefill: Pool; decode: Pool }, asked: { prompt: number; output: number }): PageDecision {
  const before: Plan = { prefill: pools.prefill.desired, decode: pools.decode.desired };
  const at = start + t;
  const hold = t === 105 || t === 110;
  const wanted = hold ? before : plan(before, pools, asked, t);
  const changed = wanted.prefill !== before.prefill || wanted.decode !== before.decode;
  const failed = changed && t === 80;
  if (changed && !failed) {
    pools.prefill.scaleTo(t, wanted.prefill);
    pools.decode.scaleTo(t, wanted.decode);
  }
  const decision = decisionOf(at, before, wanted, asked, hold);
  if (hold) return { policy: POLICY, decision, outcome: "held" };
  if (failed)
    return {
      policy: POLICY,
      decision,
      outcome: "failed",
      error: "fleet control: POST /scale answered 503: node is busy; tried again at the next tick",
    };
  return { policy: POLICY, decision, outcome: changed ? "applied" : "unchanged" };
}

function plan(before: Plan, pools: { prefill: Pool; decode: Pool }, asked: { prompt: number; output: number }, t: number): Plan {
  const need = (pool: Pool, rate: number) => Math.max(1, Math.ceil((rate + pool.backlog / 10) / (VELOCITY[pool.role] * 0.85)));
  let prefill = need(pools.prefill, asked.prompt);
  let decode = need(pools.decode, asked.output);
  // Down one at a time, and not in the first seconds of a phase.
  if (prefill < before.prefill) prefill = t % 20 === 0 ? before.prefill - 1 : before.prefill;
  if (decode < before.decode) decode = t % 20 === 0 || prefill > before.prefill ? before.decode - 1 : before.decode;
  return { prefill: Math.min(prefill, BUDGET - Math.min(decode, 6)), decode: Math.min(decode, 6) };
}

function decisionOf(at: number, before: Plan, wanted: Plan, asked: { prompt: number; output: number }, hold: boolean): Decision {
  const converted = wanted.prefill > before.prefill && wanted.decode < before.decode;
  return {
    type: "decision",
    at,
    pools: {
      prefill: { replicas: wanted.prefill, limits: { maxBatchedTokens: 8192 } },
      decode: { replicas: wanted.decode, limits: { maxNumSeqs: 192 } },
    },
    moves: converted ? [{ from: "decode", to: "prefill", replicas: before.decode - wanted.decode }] : [],
    predicted: { ttft: 0.31 + 0.02 * wanted.prefill, itl: 0.021 },
    reasons: hold ? [HOLD] : reasons(before, wanted, asked, converted),
    candidates: candidates(wanted),
    hold,
  };
}

const HOLD: Reason = {
  code: "insufficient-evidence",
  text: "Only 1 of 2 prefill replicas has reported in the last 10 s; at least 70 % must before anything changes.",
  numbers: { coverage: 0.5, minCoverage: 0.7, oldestReportSeconds: 14.2 },
};

function reasons(before: Plan, wanted: Plan, asked: { prompt: number; output: number }, converted: boolean): readonly Reason[] {
  const list: Reason[] = [];
  const thousands = (rate: number) => `${(rate / 1000).toFixed(1)}k tok/s`;
  const numbers = (rate: number, role: keyof typeof VELOCITY) => ({
    demandTokensPerSecond: rate,
    velocityTokensPerSecond: VELOCITY[role],
    neededReplicas: wanted[role],
    utilization: rate / (VELOCITY[role] * wanted[role]),
  });
  const say = (role: "prefill" | "decode", rate: number): void => {
    const step = wanted[role] - before[role];
    if (step === 0) return;
    const text = `${thousands(rate)} of ${role} demand needs ${wanted[role]} replicas at ${thousands(VELOCITY[role])} each with 15 % kept free.`;
    list.push({ code: step > 0 ? `${role}-short` : `${role}-spare`, text, numbers: numbers(rate, role) });
  };
  say("prefill", asked.prompt);
  say("decode", asked.output);
  if (converted)
    list.push({
      code: "convert",
      text: "A decode replica's GPU is freed for prefill: the budget of 10 GPUs allows no more.",
      numbers: { budgetGpus: BUDGET },
    });
  if (list.length > 0) return list;
  const text = `Both pools are within range: prefill asks for ${thousands(asked.prompt)}, decode for ${thousands(asked.output)}.`;
  return [{ code: "within-range", text, numbers: { ...numbers(asked.prompt, "prefill") } }];
}

function candidates(wanted: Plan): readonly Candidate[] {
  const near = [
    { prefill: wanted.prefill - 1, decode: wanted.decode },
    { prefill: wanted.prefill, decode: wanted.decode },
    { prefill: wanted.prefill + 1, decode: wanted.decode },
  ];
  return near
    .filter((p) => p.prefill > 0)
    .map((p) => {
      const ttft = 0.33 * (wanted.prefill / p.prefill) ** 3;
      return { ...p, gpus: p.prefill + p.decode, ttft, itl: 0.021, meets: ttft <= TARGET.ttft };
    });
}

function stateAt(at: number, mode: PagePolicy["mode"], decisions: readonly PageDecision[]): PageState {
  const last = decisions.findLast((d) => d.decision.at <= at)?.decision ?? null;
  return {
    at,
    version: "0.1.0",
    policies: [
      {
        name: POLICY,
        namespace: "serving",
        mode,
        override: null,
        model: "llama-3.1-8b",
        objectives: { ttft: { quantile: 0.95, target: TARGET.ttft }, itl: { quantile: 0.95, target: TARGET.itl } },
        budgetGpus: BUDGET,
        gpusAllocated: last === null ? null : last.pools.prefill.replicas + last.pools.decode.replicas,
        lastDecision: last,
      },
    ],
    agents: [
      { node: "node-a", connected: true, age: 0.6, reports: 812 },
      { node: "node-b", connected: true, age: 0.9, reports: 809 },
    ],
    leader: null,
    problems: [],
    links: [
      {
        policy: POLICY,
        seconds: 60,
        others: 0,
        links: [
          link("node-a", "node-d", { transfers: 310, meanSeconds: 0.061, bytesPerSecond: 0.7e9, speed: 2.2e9, slowness: 3.4, slow: true }),
          link("node-a", "node-b", { transfers: 420, meanSeconds: 0.018, bytesPerSecond: 0.95e9, speed: 7.5e9, slowness: 1 }),
          link("node-a", "node-c", { transfers: 402, meanSeconds: 0.018, bytesPerSecond: 0.91e9, speed: 7.6e9, slowness: 0.98 }),
          link(null, "node-b", { failures: 2 }),
        ],
      },
    ],
    notices: [
      {
        code: "kv-link-slow",
        subject: "node-a → node-d",
        text: "3.4 times slower than the median link of serving/llama-8b, 61.0 ms a transfer",
        since: at - 95,
      },
    ],
  };
}

/** The script up to `at`, as a page hears it that connects then. */
export function snapshotAt(script: PageScript, at: number): PageMessage {
  return {
    type: "snapshot",
    state: script.stateAt(at),
    history: script.frames.filter((f) => f.at <= at),
    decisions: script.decisions.filter((d) => d.decision.at <= at),
  };
}

/** What is said between two moments, in order. */
export function messagesBetween(script: PageScript, after: number, until: number): readonly PageMessage[] {
  const timed: { readonly at: number; readonly message: PageMessage }[] = [
    ...script.frames.map((frame) => ({ at: frame.at, message: { type: "frame" as const, frame, state: script.stateAt(frame.at) } })),
    ...script.decisions.map((decision) => ({ at: decision.decision.at, message: { type: "decision" as const, decision } })),
  ];
  return timed
    .filter((m) => m.at > after && m.at <= until)
    .sort((a, b) => a.at - b.at)
    .map((m) => m.message);
}

const link = (source: string | null, target: string | null, known: Partial<PageLink>): PageLink => ({
  ...{ source, target, transfers: 0, failures: 0, meanSeconds: null, bytesPerSecond: null, speed: null, slowness: null, slow: false },
  ...known,
});
