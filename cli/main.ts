#!/usr/bin/env node
import { CommanderError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import { flushed, tolerateClosedPipe } from "./output.ts";
import { createProgram } from "./program.ts";

tolerateClosedPipe();
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
  // Errors of the parts that say how the command ends carry an exit code too.
  if (error instanceof CommandError || (error instanceof Error && "exitCode" in error && typeof error.exitCode === "number")) {
    process.stderr.write(`${error.message}\n`);
    return Number(error.exitCode);
  }
  const address = takenAddress(error);
  if (address !== undefined) {
    process.stderr.write(`cannot listen on ${address}: it is in use; stop what uses it or set another port\n`);
    return EXIT.usage;
  }
  process.stderr.write(`fulcrum failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.outside;
}

function takenAddress(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") return undefined;
  return "address" in error && "port" in error ? `${String(error.address)}:${String(error.port)}` : "its address";
}
