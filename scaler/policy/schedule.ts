import { civil, daysFromCivil } from "./civil.ts";
import { parseCron, type Cron } from "./cron.ts";
import type { PolicySpec } from "./schema.ts";

/** Replica floors known ahead; 0 = none. */
export interface Floors {
  readonly prefill: number;
  readonly decode: number;
}

/** A window longer than this is refused by the policy check: every minute of it is looked at, at every tick. */
export const MAX_SCHEDULE_SECONDS = 7 * 86400;

/** The highest floor of every schedule entry whose window (from an occurrence of its cron, for its duration) covers `at`. */
export function scheduledFloors(schedule: PolicySpec["schedule"], at: number): Floors {
  let prefill = 0;
  let decode = 0;
  for (const entry of schedule) {
    if (!isActive(entry.cron, entry.timezone, entry.for, at)) continue;
    prefill = Math.max(prefill, entry.prefill?.min ?? 0);
    decode = Math.max(decode, entry.decode?.min ?? 0);
  }
  return { prefill, decode };
}

/** True when the cron fired at a minute t with t ≤ at < t + duration. An expression that does not parse never fires. */
export function isActive(expression: string, timezone: string, duration: number, at: number): boolean {
  const cron = parseCron(expression);
  if (!cron.ok) return false;
  const oldest = at - Math.min(duration, MAX_SCHEDULE_SECONDS);
  // Zones change their offset on quarter hours at the finest, so one look-up serves 15 minutes.
  let quarter = Number.NaN;
  let offset = 0;
  for (let minute = Math.floor(at / 60); minute * 60 > oldest; minute--) {
    const start = minute * 60;
    if (Math.floor(start / 900) !== quarter) {
      quarter = Math.floor(start / 900);
      offset = zoneOffset(timezone, quarter * 900);
    }
    if (fires(cron.value, start + offset)) return true;
  }
  return false;
}

function fires(cron: Cron, local: number): boolean {
  const time = civil(local);
  if (!cron.minutes.has(time.minute) || !cron.hours.has(time.hour) || !cron.months.has(time.month)) return false;
  const day = cron.days.has(time.day);
  const weekday = cron.weekdays.has(time.weekday);
  return cron.eitherDay ? day || weekday : day && weekday;
}

/** Formatters are dear to build and zones few; the map is bounded by the schedule entries a policy may have. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATTERS = 100;

export function isTimezone(timezone: string): boolean {
  try {
    formatterOf(timezone);
    return true;
  } catch {
    // RangeError: the runtime does not know the zone.
    return false;
  }
}

function formatterOf(timezone: string): Intl.DateTimeFormat {
  const known = formatters.get(timezone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formatters.size >= MAX_FORMATTERS) formatters.clear();
  formatters.set(timezone, made);
  return made;
}

/** Seconds to add to Unix time to read the zone's wall clock. */
function zoneOffset(timezone: string, at: number): number {
  if (timezone === "UTC") return 0;
  const part: Record<string, number> = {};
  for (const { type, value } of formatterOf(timezone).formatToParts(at * 1000)) part[type] = Number(value);
  const days = daysFromCivil(part["year"] ?? 1970, part["month"] ?? 1, part["day"] ?? 1);
  const local = days * 86400 + (part["hour"] ?? 0) * 3600 + (part["minute"] ?? 0) * 60 + (part["second"] ?? 0);
  return local - Math.floor(at);
}
