#!/usr/bin/env node
import { CommanderError } from "commander";
import { speakPlainly } from "../wire/words.ts";
import { CommandError, EXIT } from "./exit.ts";
import { flushed, tolerateClosedPipe } from "./output.ts";
import { createProgram } from "./program.ts";

/** What the parts reject with when they cannot start as told; known by name, so that no part is loaded to compare classes. */
const PART_ERRORS: ReadonlySet<string> = new Set(["AgentError", "ScalerError", "FleetError"]);

tolerateClosedPipe();
speakPlainly();
const code = await main(process.argv.slice(2));
await flushed();
// Not exitCode: a stray handle of a stopped part must not keep the command alive.
process.exit(code);

async function main(args: readonly string[]): Promise<number> {
  let result: number = EXIT.good;
  try {
    const program = await createProgram(args, async (action) => {
      result = await action();
    });
    await program.parseAsync([...args], { from: "user" });
    return result;
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): number {
  // commander has already printed what was wrong, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage;
  if (error instanceof CommandError) return say(error.message, error.exitCode);
  if (isPartError(error)) return say(error.message, error.code === "engines-failed" ? EXIT.outside : EXIT.usage);
  return say(`fulcrum failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, EXIT.outside);
}

function say(message: string, exitCode: number): number {
  process.stderr.write(`${message}\n`);
  return exitCode;
}

function isPartError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && PART_ERRORS.has(error.name) && "code" in error;
}
