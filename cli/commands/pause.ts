import type { Define } from "../define.ts";
import { addWriteOptions, writeMode, type WriteOptions } from "../scaler-client.ts";

const EXAMPLES = `
The scaler goes on seeing, deciding and explaining; it changes nothing until it is resumed, or the time is over. A pause is kept
over restarts and changes of leader.

Examples:
  fulcrum pause --token-file token --for 30m --reason "node pool is being replaced"
  fulcrum pause --token-file token --policy serving/llama-8b --url https://127.0.0.1:8900`;

export const pause: Define = (command, run) => {
  addWriteOptions(command)
    .option("--for <duration>", "resume by itself after this long, for example 30m")
    .addHelpText("after", EXAMPLES)
    .action((options: WriteOptions) => run(() => writeMode("pause", options)));
};
