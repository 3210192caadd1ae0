import fc from "fast-check";
import { expect, test } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import type { ModeOverride } from "../../../core/override.ts";
import { digest } from "../../../scaler/decide/digest.ts";
import { tickOverridden } from "../../../scaler/decide/overridden.ts";
import type { FulcrumState } from "../../../scaler/decide/state.ts";
import { parseCheckpoint, type Checkpoint } from "../../../scaler/journal/checkpoint.ts";
import { parseJournal } from "../../../scaler/journal/parse.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import { begin, checkpointOf, plain } from "../../../scaler/loop/begin.ts";
import { fulcrumKit } from "../../../scaler/loop/kit.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";
import { listLog } from "../support/log.ts";

/** One moment in the life of a policy under control: a tick on whatever was seen, an edit, a restart, a new file, an operator's word. */
const seen = fc.record({
  kind: fc.constant("tick" as const),
  gap: fc.oneof({ arbitrary: fc.constant(5), weight: 8 }, { arbitrary: fc.double({ min: 0.5, max: 400, noNaN: true }), weight: 1 }),
  rate: fc.oneof(fc.double({ min: 0, max: 200, noNaN: true }), fc.constant(0)),
  isl: fc.integer({ min: 1, max: 30_000 }),
  osl: fc.integer({ min: 1, max: 2000 }),
  waiting: fc.nat(500),
  starting: fc.nat(3),
  draining: fc.nat(2),
  slower: fc.constantFrom(1, 1, 1, 0.5, 3, 40),
  lost: fc.constantFrom("none", "none", "none", "none", "prefill", "decode", "both", "interval", "replicas", "steps") as fc.Arbitrary<Lost>,
  coverage: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  age: fc.double({ min: 0, max: 120, noNaN: true }),
  transfer: fc.boolean(),
  unschedulable: fc.option(fc.nat(2), { nil: undefined }),
  crash: fc.nat(1),
});
type Lost = "none" | "prefill" | "decode" | "both" | "interval" | "replicas" | "steps";
type Seen = typeof seen extends fc.Arbitrary<infer T> ? T : never;

const edit = fc.record({
  kind: fc.constant("edit" as const),
  spec: fc.record({
    mode: fc.constantFrom("enforce", "observe", "paused"),
    budget: fc.record({ gpus: fc.integer({ min: 2, max: 64 }) }),
    objectives: fc.record({ ttft: fc.record({ target: fc.constantFrom("200ms", "2s") }), headroom: fc.constantFrom(0, 0.15, 0.3) }),
    rebalance: fc.record({ convert: fc.boolean() }),
  }),
});
const said = fc.record({ kind: fc.constant("override" as const), mode: fc.constantFrom("paused" as const, "observe" as const, null) });
const event = fc.oneof(
  { arbitrary: seen, weight: 12 },
  { arbitrary: edit, weight: 1 },
  { arbitrary: fc.constantFrom({ kind: "restart" as const }, { kind: "file" as const }), weight: 1 },
  { arbitrary: said, weight: 1 },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function observed(s: Seen, at: number, ready: { prefill: number; decode: number }): Observation {
  const { prefill, decode, ...rest } = observationOf({
    ...s,
    at,
    prefill: ready.prefill,
    decode: Math.max(1, ready.decode - s.crash),
  }).pools;
  if (prefill === undefined || decode === undefined) throw new Error("no pools");
  const evidence = s.coverage === undefined ? {} : { evidence: { age: s.age, coverage: s.coverage } };
  const { steps, ...counted } = decode.interval ?? { seconds: 5 };
  const slowed = steps === undefined || s.lost === "steps" ? {} : { steps: { ...steps, seconds: steps.seconds * s.slower } };
  const one = {
    ...prefill,
    ...evidence,
    replicas: { ready: ready.prefill, starting: prefill.replicas?.starting ?? [], draining: s.draining },
  };
  const two = { ...decode, ...evidence, interval: { ...counted, ...slowed } };
  const bare = <T extends object>(pool: T, key: "interval" | "replicas"): T =>
    Object.fromEntries(Object.entries(pool).filter(([name]) => name !== key)) as T; // only optional fields are taken out
  const cut = <T extends object>(pool: T): T => (s.lost === "interval" || s.lost === "replicas" ? bare(pool, s.lost) : pool);
  return {
    type: "observation",
    at,
    pools: {
      ...rest,
      ...(s.lost === "prefill" || s.lost === "both" ? {} : { prefill: cut(one) }),
      ...(s.lost === "decode" || s.lost === "both" ? {} : { decode: cut(two) }),
    },
    ...(s.transfer
      ? { transfer: { seconds: 5, transfers: 38, bytes: 6.4e9, busySeconds: 0.4 * s.slower, failures: s.crash, backlog: 0 } }
      : {}),
    ...(s.unschedulable === undefined ? {} : { unschedulable: s.unschedulable }),
  };
}

/** What a scaler would journal, as text: the real controller, checkpoint and start of the loop, on two policies in turn. */
function journalOf(histories: readonly (readonly Event[])[]): { text: string; ticks: number } {
  const lines: string[] = [];
  let ticks = 0;
  for (const [index, events] of histories.entries()) {
    const name = `demo/p${index}`;
    const log = listLog();
    let policy: Policy = testPolicy();
    let at = 1_700_000_000.25;
    let ready = { prefill: 2, decode: 2 };
    let override: ModeOverride | undefined;
    let kept: Checkpoint | undefined;
    const start = (): FulcrumState => begin({ kit: fulcrumKit, policy, prior: h200Prior, at, name, kept: kept?.policies[name], log });
    const write = (state: FulcrumState): void =>
      void lines.push(JSON.stringify({ kind: "start", at, version: "0", controller: "fulcrum", name, policy, prior: h200Prior, state }));
    const restart = (): FulcrumState => {
      const policies = { [name]: checkpointOf(fulcrumKit, policy, h200Prior, at, state) };
      kept = parseCheckpoint(JSON.stringify({ version: "0", policies }), "kept").checkpoint;
      return start();
    };
    let state = start();
    write(state);
    for (const happened of events) {
      if (happened.kind === "tick") {
        at += happened.gap;
        const observation = observed(happened, at, ready);
        const next = tickOverridden(fulcrumKit.controller, { state, observation, policy, override });
        state = next.state;
        ticks += 1;
        const { prefill, decode } = next.decision.pools;
        ready = { prefill: Math.max(1, prefill.replicas), decode: Math.max(1, decode.replicas) };
        const under = override === undefined ? {} : { override };
        lines.push(
          JSON.stringify({
            ...{ kind: "tick", at, name, observation, decision: next.decision, ...under },
            ...{ stateDigest: digest(state), outcome: "applied", actions: [] },
          }),
        );
        continue;
      }
      if (happened.kind === "override") {
        override = happened.mode === null ? undefined : { mode: happened.mode, by: "law", at };
        continue;
      }
      if (happened.kind === "edit") policy = testPolicy(happened.spec);
      state = happened.kind === "file" ? plain(state) : restart();
      write(state);
    }
  }
  return { text: lines.map((line) => `${line}\n`).join(""), ticks };
}

const histories = fc.array(fc.array(event, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 2 });

test("a replay of any journal decides every entry as it was decided, and has learned the same", () => {
  fc.assert(
    fc.property(histories, (lives) => {
      const { text, ticks } = journalOf(lives);
      const { records, problems, torn } = parseJournal(text);
      expect([problems, torn]).toEqual([[], false]);
      expect(replay(records, fulcrumKit.controller)).toEqual({ entries: ticks, differences: [] });
    }),
    { numRuns: 60 },
  );
});

test("the same life gives the same bytes", () => {
  fc.assert(
    fc.property(histories, (lives) => {
      expect(journalOf(structuredClone(lives)).text).toBe(journalOf(lives).text);
    }),
    { numRuns: 30 },
  );
});

test("and a journal in which one figure was changed is found out at that entry", () => {
  const tick = fc.sample(seen, { numRuns: 1, seed: 1 })[0];
  if (tick === undefined) throw new Error("no sample");
  const calm: Event = { ...tick, gap: 5, rate: 20, isl: 1000, osl: 100, lost: "none", coverage: undefined, slower: 1, crash: 0 };
  const { text } = journalOf([Array.from({ length: 12 }, () => calm)]);
  const lines = text.split("\n");
  const changed = lines.with(5, (lines[5] ?? "").replace('"arrivals":100,', '"arrivals":101,'));
  expect(changed[5]).not.toBe(lines[5]);
  const { differences } = replay(parseJournal(changed.join("\n")).records, fulcrumKit.controller);
  expect(differences[0]).toMatchObject({ index: 5, name: "demo/p0" });
});
