import type { Define } from "../define.ts";
import { addWriteOptions, writeMode, type WriteOptions } from "../scaler-client.ts";

const EXAMPLES = `
Each policy does what its own mode says again. One that was paused by name is resumed by name; without --policy what was said of all
policies is taken back.

Examples:
  fulcrum resume --token-file token
  fulcrum resume --token-file token --policy serving/llama-8b`;

export const resume: Define = (command, run) => {
  addWriteOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((options: WriteOptions) => run(() => writeMode("resume", options)));
};
