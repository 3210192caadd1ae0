import { readFile } from "node:fs/promises";
import { err, ok } from "../../core/result.ts";
import { replaceFile } from "../journal/replace-file.ts";
import { parseDocument } from "./document.ts";
import type { OverridePlace } from "./place.ts";

/** For a scaler that has nobody to agree with: a file beside the checkpoint. */
export function overrideFile(path: string): OverridePlace {
  return {
    where: path,
    shared: false,
    async read() {
      let text: string;
      try {
        text = await readFile(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return ok(undefined);
        return err({ kind: "unreachable", message: `${path}: ${messageOf(error)}` });
      }
      const document = parseDocument(text);
      return document === undefined ? err({ kind: "broken", message: `${path}: not what a scaler writes` }) : ok(document);
    },
    async write(document) {
      try {
        await replaceFile(path, JSON.stringify(document));
        return ok(undefined);
      } catch (error) {
        return err({ kind: "unreachable", message: `${path}: ${messageOf(error)}` });
      }
    },
  };
}

/** Where nothing is kept on disk: a restart forgets. */
export const overridesInMemory: OverridePlace = {
  where: "memory",
  shared: false,
  read: async () => ok(undefined),
  write: async () => ok(undefined),
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
