import { describe, expect, it } from "vitest";
import { decodeAgentMessage, decodeScalerMessage, encode, fits } from "../../wire/codec.ts";
import { LIMITS, type NodeReport } from "../../wire/messages.ts";

const report: NodeReport = {
  ...{ type: "report", v: 1, node: "n", boot: "b", seq: 0, at: 1, interval: 1, pools: [], gpus: [], requests: [] },
  ...{
    requestsDropped: 0,
    sources: [],
    spans: { received: 0, dropped: 0 },
    host: {},
    agent: { cpuSeconds: 0, rssBytes: 0, reportsDropped: 0 },
  },
};

describe("the codec", () => {
  it("carries a report unchanged", () => {
    expect(decodeAgentMessage(encode(report))).toEqual({ ok: true, value: report });
  });

  it("carries the scaler's answers", () => {
    expect(decodeScalerMessage(encode({ type: "ack", seq: 4 }))).toEqual({ ok: true, value: { type: "ack", seq: 4 } });
    expect(decodeScalerMessage(encode({ type: "welcome", v: 1, seq: -1 }))).toEqual({
      ok: true,
      value: { type: "welcome", v: 1, seq: -1 },
    });
  });

  it("refuses with a stable code", () => {
    const code = (text: string): string => {
      const decoded = decodeAgentMessage(text);
      return decoded.ok ? "accepted" : decoded.error.code;
    };
    expect(code("{")).toBe("not-json");
    expect(code(`{"type":"report"}`)).not.toBe("accepted");
    expect(code(JSON.stringify({ ...report, v: 2 }))).toBe("bad-version");
    expect(code(JSON.stringify({ ...report, interval: -1 }))).toBe("bad-message");
    expect(code(`"${"x".repeat(LIMITS.message)}"`)).toBe("too-large");
    expect(code(JSON.stringify({ type: "ack", seq: 1 }))).toBe("bad-message");
  });

  it("names the field that is wrong", () => {
    const decoded = decodeAgentMessage(JSON.stringify({ ...report, host: { load1: "high" } }));
    expect(decoded.ok ? "" : decoded.error.message).toMatch(/^host\.load1: /);
  });

  it("measures a message in bytes, not characters", () => {
    expect(fits("x".repeat(LIMITS.message))).toBe(true);
    expect(fits("€".repeat(LIMITS.message / 2))).toBe(false);
  });
});
