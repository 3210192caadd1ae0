import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { COMMANDS } from "./commands.ts";
import type { Run } from "./define.ts";

const EXIT_CODES = "\nExit codes: 0 good, 1 the answer is no, 2 usage or bad input, 3 something outside failed.";

/** The command tree with the one command filled in that `args` asks for. */
export async function createProgram(args: readonly string[], run: Run): Promise<Command> {
  const program = new Command("fulcrum")
    .description("Holds TTFT and inter-token-latency targets of disaggregated LLM serving at the least GPU cost.")
    .version(manifest.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help of a command")
    .addHelpText("after", EXIT_CODES)
    .exitOverride();
  program.showHelpAfterError("Run with --help for usage.");
  const words = args.filter((arg) => !arg.startsWith("-"));
  const asked = words[0] === "help" ? words[1] : words[0];
  for (const entry of COMMANDS) {
    const command = program.command(entry.name, entry.hidden === true ? { hidden: true } : {}).description(entry.summary);
    if (entry.name !== asked) continue;
    const define = await entry.load();
    define(command, run);
    command.addHelpText("after", EXIT_CODES);
  }
  return program;
}
