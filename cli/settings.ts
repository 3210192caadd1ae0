import type { Command } from "commander";
import type { z } from "zod";
import { envName, flagName, resolveSettings } from "../wire/settings.ts";
import { badInput } from "./exit.ts";
import { readInput } from "./files.ts";

/** A flag for every key of a settings schema, so that file, environment and flags can never drift apart. */
export function addSettingFlags(command: Command, schema: z.ZodObject): void {
  command.option("--config <file>", "settings file (YAML or JSON); flags win over environment variables, those over the file");
  for (const [key, field] of Object.entries(schema.shape)) {
    command.option(`${flagName(key)} <value>`, describe(key, field as z.ZodType));
  }
}

function describe(key: string, field: z.ZodType): string {
  const text = field.meta()?.description;
  const fallback = defaultOf(field);
  const parts = [text, fallback === undefined ? undefined : `default ${fallback}`, envName(key)];
  return parts.filter((part) => part !== undefined).join("; ");
}

/** What the schema says when nothing is given; undefined where the setting is required or has no default. */
function defaultOf(field: z.ZodType): string | undefined {
  const parsed = field.safeParse(undefined);
  return parsed.success && parsed.data !== undefined ? JSON.stringify(parsed.data) : undefined;
}

/** Settings out of file, environment and flags; every problem is told at once. */
export async function settingsOf<S extends z.ZodObject>(schema: S, options: Readonly<Record<string, unknown>>): Promise<z.output<S>> {
  const { config, ...flags } = options;
  const name = typeof config === "string" ? config : process.env["FULCRUM_CONFIG"];
  const file = name === undefined || name === "" ? undefined : { name, value: await parseFile(name, await readInput(name)) };
  const resolved = resolveSettings(schema, { ...(file === undefined ? {} : { file }), env: process.env, flags });
  if (!resolved.ok) throw badInput(...resolved.error);
  return resolved.value;
}

/** JSON is YAML too: one parser, and one form of message. It is loaded here because an agent without a file would keep its megabyte for nothing. */
export async function parseFile(name: string, text: string): Promise<unknown> {
  const { parse } = await import("./parse-yaml.ts");
  try {
    return parse(text) as unknown;
  } catch (error) {
    throw badInput(`${name}: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`);
  }
}
