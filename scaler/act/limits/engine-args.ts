import { err, ok, type Result } from "../../../core/result.ts";

/** A container as its pod template has it. */
export interface EngineContainer {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

export type LimitRole = "prefill" | "decode";

/** How an engine takes the batch limit of a role: an argument at its start, and a setting while it runs where there is one. */
interface Knob {
  readonly flag: string;
  readonly live?: string;
}

interface Engine {
  readonly name: string;
  /** In a command line that starts it. */
  readonly known: RegExp;
  readonly port: number;
  readonly knobs: Readonly<Record<LimitRole, Knob>>;
}

/**
 * `pp_max_micro_batch_size` is the one batch limit that SGLang's `set_internal_state` takes; it caps what runs with one pipeline stage
 * too. vLLM and TensorRT-LLM take theirs at the start only.
 */
const ENGINES: readonly Engine[] = [
  {
    ...{ name: "SGLang", known: /\bsglang\b/, port: 30_000 },
    knobs: {
      prefill: { flag: "--chunked-prefill-size" },
      decode: { flag: "--max-running-requests", live: "pp_max_micro_batch_size" },
    },
  },
  {
    ...{ name: "vLLM", known: /\bvllm\b/, port: 8000 },
    knobs: { prefill: { flag: "--max-num-batched-tokens" }, decode: { flag: "--max-num-seqs" } },
  },
  {
    ...{ name: "TensorRT-LLM", known: /\btrtllm-serve\b/, port: 8000 },
    knobs: { prefill: { flag: "--max_num_tokens" }, decode: { flag: "--max_batch_size" } },
  },
];

/** The engine among a pod's containers, and how it takes the limit of a role. */
export interface FoundEngine {
  readonly name: string;
  readonly container: number;
  readonly port: number;
  readonly knob: Knob;
  /** What the argument says; undefined = the engine's own default. */
  readonly value: number | undefined;
}

export function findEngine(containers: readonly EngineContainer[], role: LimitRole): Result<FoundEngine, string> {
  for (const [container, { command, args }] of containers.entries()) {
    const words = [...command, ...args];
    // The first words name what is started; later ones are models and paths.
    const starts = words.slice(0, 5).find((word) => ENGINES.some(({ known }) => known.test(word)));
    const engine = ENGINES.find(({ known }) => starts !== undefined && known.test(starts));
    if (starts === undefined || engine === undefined) continue;
    if (/\s/.test(starts)) return err(`its pods start ${engine.name} by a line of shell, whose arguments cannot be told apart`);
    const { flag, live } = engine.knobs[role];
    // A Dynamo worker takes the engine's arguments, and does not serve its settings.
    const knob = live === undefined || starts.startsWith("dynamo.") ? { flag } : { flag, live };
    return ok({ name: engine.name, container, port: numberOf(words, "--port") ?? engine.port, knob, value: numberOf(words, flag) });
  }
  return err("no container of its pods starts an engine that is known here (vLLM, SGLang, TensorRT-LLM)");
}

interface Place {
  /** Index of the word that holds the value. */
  readonly at: number;
  readonly joined: boolean;
}

function placeOf(words: readonly string[], flag: string): Place | undefined {
  const joined = words.findLastIndex((word) => word.startsWith(`${flag}=`));
  const apart = words.lastIndexOf(flag);
  if (joined > apart) return { at: joined, joined: true };
  return apart === -1 ? undefined : { at: apart + 1, joined: false };
}

function numberOf(words: readonly string[], flag: string): number | undefined {
  const place = placeOf(words, flag);
  if (place === undefined) return undefined;
  const word = words[place.at] ?? "";
  const value = Number(place.joined ? word.slice(flag.length + 1) : word);
  return word !== "" && Number.isFinite(value) ? value : undefined;
}

export interface PatchStep {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

/** Steps of a JSON patch that make a container start with `flag value`, touching no other word. `path` leads to the container. */
export function flagSteps({ command, args }: EngineContainer, path: string, flag: string, value: number): readonly PatchStep[] {
  for (const [list, words] of [
    ["args", args],
    ["command", command],
  ] as const) {
    const place = placeOf(words, flag);
    if (place === undefined) continue;
    if (place.at === words.length) return [{ op: "add", path: `${path}/${list}/-`, value: String(value) }];
    return [{ op: "replace", path: `${path}/${list}/${place.at}`, value: place.joined ? `${flag}=${value}` : String(value) }];
  }
  const list = args.length > 0 || command.length === 0 ? "args" : "command";
  return [flag, String(value)].map((word) => ({ op: "add", path: `${path}/${list}/-`, value: word }));
}
