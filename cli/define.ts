import type { Command } from "commander";

/** Runs a command's work; what it resolves to is the exit code. */
export type Run = (action: () => Promise<number>) => Promise<void>;

/** Puts options, arguments and the action of one command on it. */
export type Define = (command: Command, run: Run) => void;
