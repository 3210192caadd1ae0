import { spawn } from "node:child_process";
import { err, ok, type Result } from "../../../core/result.ts";

/** The user's own kubectl: it knows KUBECONFIG, every way to log in, and kustomize. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<Result<string, string>>;

/** What `get` prints of 1000 pods. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Answers with what it printed, or with what it complained of. */
export function createKubectl(program = process.env["FULCRUM_KUBECTL"] ?? "kubectl"): Kubectl {
  return (args, input = "") =>
    new Promise((resolve) => {
      // A group of its own: Ctrl-C is for us to hear, and must not end what is under way.
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
      const out: Buffer[] = [];
      let size = 0;
      let complaint = "";
      child.stdout.on("data", (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size <= MAX_OUTPUT) out.push(chunk);
      });
      child.stderr.on("data", (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, 4000)));
      child.once("error", (error: NodeJS.ErrnoException) =>
        resolve(err(error.code === "ENOENT" ? `${program} is not there; install it, or set FULCRUM_KUBECTL to its path` : error.message)),
      );
      child.once("close", (code) => {
        if (code === 0 && size <= MAX_OUTPUT) resolve(ok(Buffer.concat(out).toString("utf8")));
        else resolve(err(complaint.trim() || `kubectl ${args[0] ?? ""} ended with ${code ?? "a signal"}`));
      });
      // One that ended before it read everything has said why.
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    });
}
