import { err, ok, type Result } from "../../core/result.ts";

/** A five-field cron expression (minute hour day-of-month month day-of-week) as sets of allowed values. */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Vixie cron: when both day fields are restricted, either may match. */
  readonly eitherDay: boolean;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  // 7 is Sunday too.
  { name: "day of week", min: 0, max: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

export function parseCron(text: string): Result<Cron, string> {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return err(`a cron expression has 5 fields (minute hour day month weekday), not ${parts.length}; for example "0 8 * * 1-5"`);
  }
  const sets: Set<number>[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const set = parseField(parts[index] ?? "", field);
    if (!set.ok) return set;
    sets.push(set.value);
  }
  const [minutes, hours, days, months, weekdays] = sets;
  if (!minutes || !hours || !days || !months || !weekdays) return err("not a cron expression");
  if (weekdays.delete(7)) weekdays.add(0);
  const restricted = (index: number): boolean => !(parts[index] ?? "").startsWith("*");
  return ok({ minutes, hours, days, months, weekdays, eitherDay: restricted(2) && restricted(4) });
}

function parseField(text: string, field: Field): Result<Set<number>, string> {
  const set = new Set<number>();
  for (const item of text.split(",")) {
    const match = /^(\*|[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?)(?:\/(\d+))?$/.exec(item);
    const range = match?.[1] === undefined ? undefined : bounds(match[1], match[2] !== undefined, field);
    const every = Number(match?.[2] ?? 1);
    if (range === undefined || every < 1) return err(`"${item.slice(0, 40)}" is not a ${field.name} (${field.min} to ${field.max})`);
    for (let value = range.from; value <= range.to; value += every) set.add(value);
  }
  return ok(set);
}

function bounds(text: string, stepped: boolean, field: Field): { readonly from: number; readonly to: number } | undefined {
  if (text === "*") return { from: field.min, to: field.name === "day of week" ? 6 : field.max };
  const [first, second] = text.split("-");
  const from = number(first ?? "", field);
  // "5/10" counts on from 5 to the end, as cron does.
  const to = second !== undefined ? number(second, field) : stepped ? field.max : from;
  if (from === undefined || to === undefined || from < field.min || to > field.max || from > to) return undefined;
  return { from, to };
}

function number(text: string, field: Field): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const index = field.names?.indexOf(text.toLowerCase()) ?? -1;
  return index < 0 ? undefined : index + field.min;
}
