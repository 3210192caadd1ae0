import fc from "fast-check";
import { expect, test } from "vitest";
import { rankVictims, type Candidate } from "../../../scaler/act/victims.ts";

const candidate: fc.Arbitrary<Candidate> = fc.record({
  pod: fc.string({ minLength: 1, maxLength: 8 }),
  age: fc.double({ min: 0, max: 1e7, noNaN: true }),
  faulty: fc.boolean(),
  throttled: fc.boolean(),
  running: fc.option(fc.nat(500), { nil: undefined }),
});
const fleet = fc.uniqueArray(candidate, { selector: (c) => c.pod, maxLength: 20 });
const plain = (pod: string, more: Partial<Candidate> = {}): Candidate => ({
  ...{ pod, age: 1000, faulty: false, throttled: false, running: 4 },
  ...more,
});
const order = (...candidates: readonly Candidate[]): string =>
  rankVictims(candidates)
    .map((c) => c.pod)
    .join(" ");

test("faulty, throttled, youngest, least loaded; a load nobody knows is not none", () => {
  expect(order(plain("old", { age: 9e5 }), plain("hot", { throttled: true, age: 9e5 }), plain("xid", { faulty: true, age: 9e5 }))).toBe(
    "xid hot old",
  );
  expect(order(plain("old", { age: 1e5, running: 0 }), plain("young", { age: 60 }))).toBe("young old");
  expect(order(plain("blind", { running: undefined }), plain("busy", { running: 60 }), plain("idle", { age: 1010, running: 0 }))).toBe(
    "idle busy blind",
  );
});

test("every replica is ranked once, and nothing but the replicas decides", () => {
  fc.assert(
    fc.property(fleet, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (all, dice) => {
      const ranked = rankVictims(all);
      expect(ranked.toSorted(byName)).toEqual(all.toSorted(byName));
      const shuffled = all
        .map((c) => ({ c, at: dice.next().value }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ c }) => c);
      expect(rankVictims(shuffled)).toEqual(ranked);
    }),
  );
});

test("no sound replica goes while a faulty one stays, and none that is not throttled while one that is stays", () => {
  fc.assert(
    fc.property(fleet, fc.nat(20), (all, count) => {
      const ranked = rankVictims(all);
      const [go, stay] = [ranked.slice(0, count), ranked.slice(count)];
      if (stay.some((c) => c.faulty)) expect(go.every((c) => c.faulty)).toBe(true);
      if (stay.some((c) => c.throttled && !c.faulty)) expect(go.every((c) => c.faulty || c.throttled)).toBe(true);
    }),
  );
});

test("whoever gets worse never moves away from the front", () => {
  fc.assert(
    fc.property(fleet, fc.nat(), (all, pick) => {
      if (all.length === 0) return;
      const at = pick % all.length;
      const place = (of: readonly Candidate[]): number => rankVictims(of).findIndex((c) => c.pod === all[at]?.pod);
      for (const worse of [{ faulty: true }, { throttled: true }, { age: 0 }, { running: 0 }])
        expect(place(all.map((c, i) => (i === at ? { ...c, ...worse } : c)))).toBeLessThanOrEqual(place(all));
    }),
  );
});

function byName(a: Candidate, b: Candidate): number {
  return a.pod < b.pod ? -1 : 1;
}
