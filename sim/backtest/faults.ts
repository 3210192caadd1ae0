import { err, ok, type Result } from "../../core/result.ts";
import type { PlantRole } from "../plant/plant.types.ts";

/** From `from` up to, not including, `to`. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** What goes wrong in a back-test, in trace seconds. Factors multiply times: 20 is twenty times as slow. */
export type Fault =
  | { readonly kind: "replica-crash"; readonly at: number; readonly role: PlantRole }
  | ({ readonly kind: "metrics-loss" } & Window)
  | ({ readonly kind: "link-slow"; readonly factor: number } & Window)
  | ({ readonly kind: "slow-start"; readonly factor: number } & Window)
  | ({ readonly kind: "unschedulable" } & Window)
  | ({ readonly kind: "gpu-throttle"; readonly factor: number; readonly role?: PlantRole } & Window)
  | { readonly kind: "clock-skew"; readonly seconds: number; readonly node?: number };

/** What each fault looks like on the command line; the message about a bad one prints its own form. */
const FORMS = {
  "replica-crash": "replica-crash=AT[:role]",
  "metrics-loss": "metrics-loss=FROM-TO",
  "link-slow": "link-slow=FROM-TO:FACTOR",
  "slow-start": "slow-start=FACTOR[:FROM-TO]",
  unschedulable: "unschedulable=FROM-TO",
  "gpu-throttle": "gpu-throttle=FROM-TO:FACTOR[:role]",
  "clock-skew": "clock-skew=SECONDS[:node]",
} as const satisfies Record<Fault["kind"], string>;

const WHERE = "times such as 90, 90s or 10m; role is prefill or decode; node is a number from 1";

/** `NAME=…` as given on the command line; `duration` turns "10m" into seconds. */
export function parseFault(text: string, duration: (text: string) => number | undefined): Result<Fault, string> {
  const [name = "", value = ""] = text.split(/=(.*)/s);
  const kind = KINDS.find((known) => known === name);
  if (kind === undefined) return err(`--fault ${text}: there is no fault "${name}"; known faults: ${Object.values(FORMS).join(", ")}`);
  const [first = "", ...rest] = value.split(kind === "replica-crash" ? /[:/]/ : ":");
  const parsed = PARSERS[kind](first, rest, (time) => seconds(time, duration));
  return typeof parsed === "string" ? err(`--fault ${text}: ${parsed}; write ${FORMS[kind]}, ${WHERE}`) : ok(parsed);
}

const KINDS = Object.keys(FORMS) as Fault["kind"][]; // The keys of a record over the kinds are the kinds.

type Time = (text: string) => number | undefined;
/** The fault, or what is wrong with it. */
type Parser = (first: string, rest: readonly string[], time: Time) => Fault | string;

const PARSERS: Readonly<Record<Fault["kind"], Parser>> = {
  "replica-crash": (first, [role = "decode", ...more], time) => {
    const at = time(first);
    if (at === undefined) return `"${first}" is not a time`;
    if (!isRole(role)) return `"${role}" is not a pool`;
    return tooMuch(more) ?? { kind: "replica-crash", at, role };
  },
  "metrics-loss": (first, rest, time) => inWindow(first, time, (window) => tooMuch(rest) ?? { kind: "metrics-loss", ...window }),
  unschedulable: (first, rest, time) => inWindow(first, time, (window) => tooMuch(rest) ?? { kind: "unschedulable", ...window }),
  "link-slow": (first, [text = "", ...more], time) =>
    inWindow(first, time, (window) => by(text, (factor) => tooMuch(more) ?? { kind: "link-slow", ...window, factor })),
  "slow-start": (first, [text, ...more], time) =>
    by(first, (factor) => {
      if (text === undefined) return { kind: "slow-start", from: 0, to: Infinity, factor };
      return inWindow(text, time, (window) => tooMuch(more) ?? { kind: "slow-start", ...window, factor });
    }),
  "gpu-throttle": (first, [text = "", role, ...more], time) =>
    inWindow(first, time, (window) =>
      by(text, (factor) => {
        if (role === undefined) return { kind: "gpu-throttle", ...window, factor };
        return isRole(role) ? (tooMuch(more) ?? { kind: "gpu-throttle", ...window, factor, role }) : `"${role}" is not a pool`;
      }),
    ),
  "clock-skew": (first, [node, ...more], time) => {
    const size = time(first.replace(/^[-+]/, ""));
    if (size === undefined) return `"${first}" is not a time`;
    const skew = { kind: "clock-skew", seconds: first.startsWith("-") ? -size : size } as const;
    if (node === undefined) return skew;
    const number = Number(node.replace(/^node-/, ""));
    return Number.isInteger(number) && number >= 1 ? (tooMuch(more) ?? { ...skew, node: number }) : `"${node}" is not a node`;
  },
};

const isRole = (text: string): text is PlantRole => text === "prefill" || text === "decode";

const tooMuch = (rest: readonly string[]): string | undefined => (rest.length > 0 ? `":${rest.join(":")}" is too much` : undefined);

/** A bare number is seconds. */
function seconds(text: string, duration: Time): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : duration(text);
}

function inWindow(text: string, time: Time, make: (window: Window) => Fault | string): Fault | string {
  const [start = "", end = "", ...more] = text.split("-");
  const from = time(start);
  const to = time(end);
  if (from === undefined || to === undefined || more.length > 0) return `"${text}" is not FROM-TO`;
  return to > from ? make({ from, to }) : "TO must lie after FROM";
}

function by(text: string, make: (factor: number) => Fault | string): Fault | string {
  const factor = Number(text);
  return text.trim() !== "" && Number.isFinite(factor) && factor > 0 ? make(factor) : `"${text}" is not a factor above zero`;
}
