import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { LOAD_PROGRAM } from "./load-program.ts";

export type Said = { readonly kind: string } & Readonly<Record<string, number | string>>;

/** A run of the load program. */
export interface Load {
  /** The next line of this kind; rejects when the program ends first. */
  next(kind: string): Promise<Said>;
  /** All lines so far. */
  readonly said: readonly Said[];
  tell(line: string): void;
  stop(): Promise<void>;
}

/** Why there is no load to compare with, or undefined when there is. */
export function torchMissing(): string | undefined {
  const tried = spawnSync("python3", ["-c", "import torch; assert torch.cuda.is_available(), 'torch sees no GPU'"], { encoding: "utf8" });
  if (tried.error !== undefined) return `python3: ${tried.error.message}`;
  return tried.status === 0 ? undefined : (tried.stderr.trim().split("\n").at(-1) ?? "python3 failed");
}

export function startLoad(...args: readonly string[]): Load {
  const child: ChildProcess = spawn("python3", ["-c", LOAD_PROGRAM, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const said: Said[] = [];
  const waiting: { readonly kind: string; readonly resolve: (line: Said) => void; readonly reject: (error: Error) => void }[] = [];
  const ended = new Promise<void>((resolve) => {
    child.once("close", (code) => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`the load ended with code ${code}`));
      resolve();
    });
  });
  if (child.stdout !== null)
    createInterface(child.stdout).on("line", (text) => {
      const line = JSON.parse(text) as Said;
      said.push(line);
      const at = waiting.findIndex((w) => w.kind === line.kind);
      if (at >= 0) waiting.splice(at, 1)[0]?.resolve(line);
    });
  return {
    said,
    next: (kind) => new Promise((resolve, reject) => waiting.push({ kind, resolve, reject })),
    tell: (line) => void child.stdin?.write(`${line}\n`),
    async stop() {
      child.stdin?.end();
      await ended;
    },
  };
}
