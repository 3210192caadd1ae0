import { Option, type Command } from "commander";
import type { PagePolicy } from "../wire/page.ts";
import { overrideText } from "../core/override.ts";
import { badInput, CommandError, EXIT } from "./exit.ts";
import { readInput } from "./files.ts";
import { print } from "./output.ts";

export interface WriteOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly policy?: string;
  readonly reason?: string;
  readonly for?: string;
  readonly json: boolean;
}

/** Options of commands that write through the scaler's API. */
export function addWriteOptions(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", "address of the scaler").env("FULCRUM_URL").default("http://127.0.0.1:8900"))
    .addOption(
      new Option("--token-file <file>", "file with the token, one of the scaler's writeTokens (without its name)").env(
        "FULCRUM_WRITE_TOKEN_FILE",
      ),
    )
    .option("--policy <name>", "namespace/name of one policy, or its name alone; default: all policies")
    .option("--reason <text>", "why, for the journal and the page")
    .option("--json", "print the scaler's answer as JSON", false);
}

/** What the scaler says of each policy after a write. */
type Answer = Pick<PagePolicy, "name" | "mode" | "override"> & { readonly policyMode: string };

const TIMEOUT = 30_000;

export async function writeMode(action: "pause" | "resume", options: WriteOptions): Promise<number> {
  const { tokenFile, policy, reason } = options;
  if (tokenFile === undefined)
    throw badInput("--token-file (FULCRUM_WRITE_TOKEN_FILE): required; the file holds one of the scaler's writeTokens");
  const token = (await readInput(tokenFile)).trim();
  if (!/^\S+$/.test(token)) throw badInput(`${tokenFile}: holds no single token; write the token alone, without a name`);
  const body = JSON.stringify({ ...(reason === undefined ? {} : { reason }), ...(options.for === undefined ? {} : { for: options.for }) });
  const one = policy === undefined ? "" : `policies/${policy.split("/").map(encodeURIComponent).join("/")}/`;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const { status, text } = await post(addressOf(options.url, `api/${one}${action}`), headers, body);
  if (status !== 200) throw refusal(status, text);
  const { policies } = JSON.parse(text) as { readonly policies: readonly Answer[] }; // the scaler's own answer
  if (options.json) await print(text);
  else if (policies.length === 0) await print("no policy runs; those that come will be held to this");
  else for (const answer of policies) await print(line(answer));
  return EXIT.good;
}

function addressOf(url: string, path: string): URL {
  try {
    return new URL(path, url.endsWith("/") ? url : `${url}/`);
  } catch {
    throw badInput(`--url: not an address: ${url}; write for example http://127.0.0.1:8900`);
  }
}

async function post(url: URL, headers: Record<string, string>, body: string): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, { method: "POST", headers, body, redirect: "error", signal: AbortSignal.timeout(TIMEOUT) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CommandError(EXIT.outside, `${url.origin}: the scaler does not answer: ${cause}`);
  }
}

function refusal(status: number, text: string): CommandError {
  const code = status >= 500 ? EXIT.outside : status === 400 || status === 404 ? EXIT.usage : EXIT.no;
  return new CommandError(code, `${status}: ${sentence(text)}`);
}

function sentence(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not a scaler's answer: a proxy's page.
  }
  return text.slice(0, 200);
}

const line = ({ name, mode, override, policyMode }: Answer): string =>
  override === null ? `${name}: ${mode}, as the policy says` : `${name}: ${overrideText(override)} (the policy says ${policyMode})`;
