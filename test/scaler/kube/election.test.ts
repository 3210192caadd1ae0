import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  acting,
  leads,
  nextStep,
  observed,
  resign,
  startElection,
  written,
  type Election,
  type LeaseRecord,
} from "../../../scaler/kube/election.ts";

const DURATION = 15;
/** Seconds that a write to a target takes at most. */
const NEEDS = 5;

interface Candidate {
  state: Election;
  readonly offset: number;
  readonly rate: number;
  writing: boolean;
  /** Transitions of the lease as it last wrote it. */
  epoch: number;
}

type Call =
  | { readonly kind: "read"; readonly fence: boolean; readonly served?: { version: string | null; record: LeaseRecord | null } }
  | {
      readonly kind: "write";
      readonly record: LeaseRecord;
      readonly version: string | null;
      readonly sentAt: number;
      /** The version it made, or "conflict". */
      readonly served?: string;
    }
  | { readonly kind: "act"; readonly until: number; readonly epoch: number };

/**
 * Candidates with clocks of their own, a server that compares versions, and a network that delays, reorders and loses at will, both
 * ways. Any number of reads may be under way (the election's own, and those of fences), one write of the lease, and any writes to
 * targets.
 */
class World {
  now = 0;
  version = 0;
  record: LeaseRecord | null = null;
  acts: { who: number; epoch: number }[] = [];
  readonly candidates: Candidate[];
  readonly calls: { who: number; call: Call }[] = [];

  constructor(clocks: readonly { offset: number; rate: number }[]) {
    this.candidates = clocks.map(({ offset, rate }, i) => ({
      state: startElection(`c${i}`, DURATION),
      offset,
      rate,
      writing: false,
      epoch: -1,
    }));
  }

  of(who: number): Candidate {
    const candidate = this.candidates[who % this.candidates.length];
    if (candidate === undefined) throw new Error("nobody");
    return candidate;
  }

  local = (c: Candidate): number => c.offset + this.now * c.rate;

  read(who: number, fence: boolean): void {
    const c = this.of(who);
    if (fence && !leads(c.state, this.local(c), NEEDS)) return;
    if (this.calls.length < 12) this.calls.push({ who, call: { kind: "read", fence } });
  }

  take(who: number): void {
    const c = this.of(who);
    if (c.writing) return;
    const step = nextStep(c.state, this.local(c));
    if (step.kind === "wait") return;
    c.writing = true;
    const version = step.kind === "update" ? step.version : null;
    this.calls.push({ who, call: { kind: "write", record: step.record, version, sentAt: this.local(c) } });
  }

  release(who: number): void {
    const c = this.of(who);
    if (c.writing) return;
    const { state, step } = resign(c.state, this.local(c));
    c.state = state;
    if (step.kind !== "update") return;
    c.writing = true;
    this.calls.push({ who, call: { kind: "write", record: step.record, version: step.version, sentAt: this.local(c) } });
  }

  serve(index: number): void {
    const entry = this.calls[index % Math.max(1, this.calls.length)];
    if (entry === undefined) return;
    const { call } = entry;
    if (call.kind === "act") return this.land(index % this.calls.length);
    if (call.served !== undefined) return;
    if (call.kind === "read") {
      const version = this.record === null ? null : String(this.version);
      entry.call = { ...call, served: { version, record: this.record } };
      return;
    }
    const current = this.record === null ? null : String(this.version);
    if (call.version !== current) entry.call = { ...call, served: "conflict" };
    else {
      this.version += 1;
      this.record = call.record;
      entry.call = { ...call, served: String(this.version) };
    }
  }

  answer(index: number): void {
    const at = index % Math.max(1, this.calls.length);
    const entry = this.calls[at];
    if (entry === undefined || entry.call.kind === "act" || entry.call.served === undefined) return;
    this.calls.splice(at, 1);
    const c = this.of(entry.who);
    const now = this.local(c);
    if (entry.call.kind === "read") {
      c.state = observed(c.state, entry.call.served.version, entry.call.served.record, now);
      if (entry.call.fence && leads(c.state, now, NEEDS)) {
        c.state = acting(c.state, now, NEEDS);
        this.calls.push({ who: entry.who, call: { kind: "act", until: now + NEEDS, epoch: c.epoch } });
      }
      return;
    }
    c.writing = false;
    if (entry.call.served === "conflict") return;
    c.state = written(c.state, entry.call.served, entry.call.record, entry.call.sentAt, now);
    c.epoch = entry.call.record.transitions;
  }

  /** Whatever was under way, its sender hears nothing of it; the server may have carried it out, or not. */
  lose(index: number): void {
    const [entry] = this.calls.splice(index % Math.max(1, this.calls.length), 1);
    if (entry?.call.kind === "write") this.of(entry.who).writing = false;
  }

  /** A write to a target arrives; after its deadline neither client nor server carries it out. */
  land(at: number): void {
    const [entry] = this.calls.splice(at, 1);
    if (entry?.call.kind !== "act") return;
    const c = this.of(entry.who);
    if (this.local(c) > entry.call.until) return;
    const others = this.candidates.filter((other) => other !== c && leads(other.state, this.local(other), 0));
    if (others.length > 0) throw new Error(`${c.state.me} acts while ${others[0]?.state.me ?? ""} leads`);
    const last = this.acts.at(-1);
    if (last !== undefined && last.epoch > entry.call.epoch) throw new Error(`epoch ${entry.call.epoch} acts after ${last.epoch}`);
    if (last !== undefined && last.epoch === entry.call.epoch && last.who !== entry.who % this.candidates.length)
      throw new Error("two in one epoch");
    this.acts.push({ who: entry.who % this.candidates.length, epoch: entry.call.epoch });
  }

  check(): void {
    const leading = this.candidates.filter((c) => leads(c.state, this.local(c), 0));
    if (leading.length > 1) throw new Error(`${leading.map((c) => c.state.me).join(" and ")} lead at once`);
  }
}

// Weights: a lease is only interesting when calls get through now and then, and time passes.
const OPS = [
  "advance",
  "advance",
  "read",
  "read",
  "take",
  "take",
  "fence",
  "fence",
  "serve",
  "serve",
  "serve",
  "serve",
  "answer",
  "answer",
  "answer",
  "answer",
  "lose",
  "round",
  "round",
  "round",
  "release",
] as const;

function run(world: World, ops: readonly (readonly [number, number, number])[]): void {
  for (const [op, who, amount] of ops) {
    const kind = OPS[op % OPS.length];
    if (kind === "advance") world.now += [0.1, 1, 3, 7, 16.6][amount % 5] ?? 1;
    else if (kind === "read") world.read(who, false);
    else if (kind === "fence") world.read(who, true);
    else if (kind === "take") world.take(who);
    else if (kind === "serve") world.serve(amount);
    else if (kind === "answer") world.answer(amount);
    else if (kind === "lose") world.lose(amount);
    else if (kind === "release") world.release(who);
    else round(world, who);
    world.check();
  }
}

/** One undisturbed round of a candidate: read, take, fence. The write to the target stays under way. */
function round(world: World, who: number): void {
  const through = (begin: () => void): void => {
    const before = world.calls.length;
    begin();
    if (world.calls.length === before) return;
    world.serve(world.calls.length - 1);
    world.answer(world.calls.length - 1);
  };
  through(() => world.read(who, false));
  through(() => world.take(who));
  through(() => world.read(who, true));
}

const clock = fc.record({ offset: fc.integer({ min: -1000, max: 1000 }), rate: fc.double({ min: 0.97, max: 1.03, noNaN: true }) });
const step = fc.tuple(fc.nat(1000), fc.nat(2), fc.nat(1000));

describe("leader election, whatever network and clocks do", () => {
  test("10,000 interleavings: never two leaders, no act of a deposed one, and somebody leads when it calms down", () => {
    let acts = 0;
    let successions = 0;
    fc.assert(
      fc.property(fc.array(clock, { minLength: 2, maxLength: 3 }), fc.array(step, { minLength: 40, maxLength: 120 }), (clocks, ops) => {
        const world = new World(clocks);
        run(world, ops);
        acts += world.acts.length;
        successions += world.acts.filter((act, i) => i > 0 && act.who !== world.acts[i - 1]?.who).length;
        world.calls.length = 0;
        for (let i = 0; i < 20; i++) {
          world.now += 2;
          for (const [who, c] of world.candidates.entries()) {
            c.writing = false;
            round(world, who);
          }
        }
        expect(world.candidates.filter((c) => leads(c.state, world.local(c), NEEDS))).toHaveLength(1);
      }),
      { numRuns: 10_000 },
    );
    // The law would hold of candidates that never act.
    expect(acts).toBeGreaterThan(10_000);
    expect(successions).toBeGreaterThan(500);
  }, 240_000);

  test("a lease that ends is not acted on while a write would outlast it", () => {
    const me = written(startElection("me", 15), "1", { holder: "me", duration: 15, transitions: 0 }, 100, 101);
    expect([leads(me, 109, 5), leads(me, 110, 5), leads(me, 114, 0), leads(me, 115, 0)]).toEqual([true, false, true, false]);
  });

  test("another's lease is taken after it has been seen unchanged for its duration and a margin, whatever its times say", () => {
    const theirs = { holder: "them", duration: 15, transitions: 3 };
    let me = observed(startElection("me", 15), "1", theirs, 100);
    expect(nextStep(me, 116)).toEqual({ kind: "wait" });
    me = observed(me, "2", theirs, 116);
    expect(nextStep(me, 120).kind).toBe("wait");
    expect(nextStep(observed(me, "2", theirs, 132.6), 132.6)).toEqual({
      kind: "update",
      version: "2",
      record: { holder: "me", duration: 15, transitions: 4 },
    });
    expect(nextStep(observed(me, "3", { ...theirs, holder: "" }, 117), 117).kind).toBe("update");
  });
});
