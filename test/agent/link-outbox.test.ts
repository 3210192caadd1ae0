import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoff } from "../../agent/link-backoff.ts";
import { createOutbox } from "../../agent/link-outbox.ts";

describe("the outbox", () => {
  it("accounts for every report: waiting, acknowledged or dropped, oldest first", () => {
    const step = fc.oneof(fc.record({ push: fc.integer({ min: 1, max: 50 }) }), fc.record({ ack: fc.integer({ min: -1, max: 60 }) }));
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 120 }), (steps, maxReports, maxChars) => {
        const outbox = createOutbox(maxReports, maxChars);
        let [seq, gone] = [0, 0];
        for (const s of steps) {
          if ("push" in s) gone += outbox.push({ seq: seq++, text: "x".repeat(s.push) });
          else gone += outbox.acknowledge(Math.min(s.ack, seq - 1));
          const waiting = outbox.all();
          expect(gone + waiting.length).toBe(seq);
          expect(waiting.map((p) => p.seq)).toEqual(Array.from({ length: waiting.length }, (_, i) => seq - waiting.length + i));
          expect(waiting.length).toBeLessThanOrEqual(maxReports);
          if (waiting.length > 1) expect(waiting.reduce((sum, p) => sum + p.text.length, 0)).toBeLessThanOrEqual(maxChars);
        }
      }),
    );
  });
});

describe("backing off", () => {
  it("grows from 0.2 s to 5 s, half of it random", () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((n) => backoff(n, 1 - 1e-12))).toEqual(
      [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5].map((s) => expect.closeTo(s, 6)),
    );
    expect(backoff(1, 0)).toBe(0.1);
    expect(backoff(50, 0)).toBe(2.5);
  });
});
