/** Exit codes, the same for every command (docs/architecture.md). */
export const EXIT = {
  good: 0,
  /** The answer is no: a check failed, an objective was missed, a replay differed. */
  no: 1,
  /** Usage, or input that only the caller can mend. */
  usage: 2,
  /** Something outside failed: a port, a file system, another process. */
  outside: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message people can act on, and without a stack trace. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}

/** Bad input, one or more problems. */
export const badInput = (...problems: readonly string[]): CommandError => new CommandError(EXIT.usage, problems.join("\n"));
