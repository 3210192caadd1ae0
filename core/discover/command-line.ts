import type { Container } from "./pod.ts";

/** A container's command as words, with the variables it is known to have put in, and what its flags are set to. */
export interface CommandLine {
  readonly words: readonly string[];
  has(flag: string): boolean;
  /** `--flag value` or `--flag=value`; `-` and `_` are the same. A value that holds a variable nobody knows is unknown. */
  value(flag: string): string | undefined;
}

/** A longer script is read up to here. */
const MAX_SCRIPT = 64 * 1024;

export function commandLine({ words: given, env }: Pick<Container, "words" | "env">): CommandLine {
  const words = given.flatMap((word, at) =>
    // sh -c, bash -lc: the word after it is a script.
    at > 0 && /^-[a-z]*c$/.test(given[at - 1] ?? "") ? shellWords(word.slice(0, MAX_SCRIPT)) : [word],
  );
  const filled = words.map((word) => fill(word, env));
  const flags = filled.map((word) => /^(--?[^=\s]+)(?:=([^]*))?$/.exec(word));
  const same = (at: number, flag: string): boolean => flags[at]?.[1]?.replaceAll("_", "-") === flag;
  const find = (flag: string): number => flags.findIndex((_, at) => same(at, flag));
  return {
    words: filled,
    has: (flag) => find(flag) >= 0,
    value(flag) {
      const at = find(flag);
      if (at < 0) return undefined;
      const value = flags[at]?.[2] ?? (flags[at + 1] === null ? filled[at + 1] : undefined);
      return value === undefined || value === "" || /\$[({\w]/.test(value) ? undefined : value;
    },
  };
}

/** `$(NAME)` is filled in by Kubernetes, `${NAME}` and `$NAME` by a shell. */
const fill = (word: string, env: Readonly<Record<string, string>>): string =>
  word.replaceAll(/\$\((\w+)\)|\$\{(\w+)\}|\$(\w+)/g, (whole, a?: string, b?: string, c?: string) => {
    const name = a ?? b ?? c ?? "";
    return Object.hasOwn(env, name) ? (env[name] ?? whole) : whole;
  });

/** Words of a shell script as far as quotes and backslashes go; operators stay words of their own or parts of one. */
export function shellWords(script: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < script.length; at++) {
    const c = script.charAt(at);
    if (quote === "'" ? c === "'" : quote === '"' && c === '"') quote = "";
    else if (quote === "" && (c === "'" || c === '"')) [quote, word] = [c, word ?? ""];
    else if (c === "\\" && quote !== "'") {
      const next = script.charAt(++at);
      // A backslash before a line's end joins the lines; within double quotes it guards only what is special there.
      if (next !== "\n") word = (word ?? "") + (quote === "" || '"\\$`'.includes(next) ? next : c + next);
    } else if (quote === "" && /\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  return word === undefined ? words : [...words, word];
}
