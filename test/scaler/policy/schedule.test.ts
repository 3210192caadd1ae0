import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { civil, daysFromCivil } from "../../../scaler/policy/civil.ts";
import { parseCron } from "../../../scaler/policy/cron.ts";
import { isActive, scheduledFloors } from "../../../scaler/policy/schedule.ts";

const unix = (iso: string): number => Date.parse(iso) / 1000;

describe("civil time without Date", () => {
  test("agrees with Date on every field, for any time of four centuries", () => {
    fc.assert(
      fc.property(fc.integer({ min: unix("1900-01-01T00:00:00Z"), max: unix("2300-01-01T00:00:00Z") }), (at) => {
        const date = new Date(at * 1000);
        expect(civil(at)).toEqual({
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
          weekday: date.getUTCDay(),
          hour: date.getUTCHours(),
          minute: date.getUTCMinutes(),
        });
        expect(daysFromCivil(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).toBe(Math.floor(at / 86400));
      }),
    );
  });
});

describe("cron", () => {
  const set = (text: string, field: "minutes" | "hours" | "days" | "months" | "weekdays"): number[] => {
    const cron = parseCron(text);
    if (!cron.ok) throw new Error(cron.error);
    return [...cron.value[field]].sort((a, b) => a - b);
  };

  test("reads lists, ranges, steps and names", () => {
    expect(set("0,30 8-10 * * *", "minutes")).toEqual([0, 30]);
    expect(set("0,30 8-10 * * *", "hours")).toEqual([8, 9, 10]);
    expect(set("*/20 * * * *", "minutes")).toEqual([0, 20, 40]);
    expect(set("5/25 * * * *", "minutes")).toEqual([5, 30, 55]);
    expect(set("0 0 1 jan,MAR *", "months")).toEqual([1, 3]);
    expect(set("0 0 * * mon-fri", "weekdays")).toEqual([1, 2, 3, 4, 5]);
    expect(set("0 0 * * 7", "weekdays")).toEqual([0]);
    expect(set("0 0 * * */2", "weekdays")).toEqual([0, 2, 4, 6]);
  });

  test.each([
    "",
    "* * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "5-1 * * * *",
    "*/0 * * * *",
    "a * * * *",
    "1,,2 * * * *",
    "* * * foo *",
  ])("refuses %j", (text) => expect(parseCron(text).ok).toBe(false));

  test("two restricted day fields mean either; one means that one", () => {
    // 2026-03-13 is a Friday, 2026-03-20 too; the 15th is a Sunday.
    const day = (iso: string, cron: string): boolean => isActive(cron, "UTC", 60, unix(iso));
    expect(day("2026-03-20T00:00:00Z", "0 0 15 * fri")).toBe(true);
    expect(day("2026-03-15T00:00:00Z", "0 0 15 * fri")).toBe(true);
    expect(day("2026-03-16T00:00:00Z", "0 0 15 * fri")).toBe(false);
    expect(day("2026-03-20T00:00:00Z", "0 0 15 * *")).toBe(false);
  });
});

describe("scheduled floors", () => {
  const office = [{ cron: "0 8 * * 1-5", timezone: "Europe/Berlin", for: 36_000, prefill: { min: 4 }, decode: { min: 6 } }];

  test("hold from the cron's minute for the duration, by the zone's clock", () => {
    // Monday 2026-01-12: Berlin is UTC+1. 08:00 there is 07:00Z; ten hours later 17:00Z.
    expect(scheduledFloors(office, unix("2026-01-12T06:59:59Z"))).toEqual({ prefill: 0, decode: 0 });
    expect(scheduledFloors(office, unix("2026-01-12T07:00:00Z"))).toEqual({ prefill: 4, decode: 6 });
    expect(scheduledFloors(office, unix("2026-01-12T16:59:59Z"))).toEqual({ prefill: 4, decode: 6 });
    expect(scheduledFloors(office, unix("2026-01-12T17:00:00Z"))).toEqual({ prefill: 0, decode: 0 });
    expect(scheduledFloors(office, unix("2026-01-11T12:00:00Z"))).toEqual({ prefill: 0, decode: 0 });
  });

  test("follow daylight saving time", () => {
    // Monday 2026-07-13: Berlin is UTC+2.
    expect(scheduledFloors(office, unix("2026-07-13T06:00:00Z")).prefill).toBe(4);
    expect(scheduledFloors(office, unix("2026-07-13T05:59:00Z")).prefill).toBe(0);
  });

  test("overlapping entries give the highest floor of each pool", () => {
    const schedule = [
      { cron: "0 0 * * *", timezone: "UTC", for: 86_400, prefill: { min: 2 } },
      { cron: "0 6 * * *", timezone: "Asia/Kathmandu", for: 3600, prefill: { min: 1 }, decode: { min: 3 } },
    ];
    // Kathmandu is UTC+5:45, so 06:00 there is 00:15Z.
    expect(scheduledFloors(schedule, unix("2026-05-05T00:15:00Z"))).toEqual({ prefill: 2, decode: 3 });
    expect(scheduledFloors(schedule, unix("2026-05-05T00:14:59Z"))).toEqual({ prefill: 2, decode: 0 });
  });
});
