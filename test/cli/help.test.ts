import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { runCli } from "../support/run-cli.ts";

const COMMANDS = [
  "demo",
  "agent",
  "scaler",
  "policy",
  "backtest",
  "topology",
  "plan",
  "replay",
  "explain",
  "pause",
  "resume",
  "doctor",
  "profile",
];

describe("help", () => {
  test("--help names every command and the exit codes", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    expect(stdout).not.toMatch(/^ {2}fleet\b/m);
    expect(stdout).toContain("Exit codes: 0 good, 1 the answer is no, 2 usage or bad input, 3 something outside failed.");
  });

  test.each([...COMMANDS, "fleet"])("%s --help says what it does, with an example", async (command) => {
    const { code, stdout, stderr } = await runCli([command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: fulcrum ${command}`);
    expect(stdout).toMatch(/Examples?:\n/);
    expect(stdout).toContain("Exit codes:");
    const viaHelp = await runCli(["help", command]);
    expect(viaHelp.stdout).toBe(stdout);
  });

  test.each(["check", "show", "schema"])("policy %s --help", async (command) => {
    const { code, stdout } = await runCli(["policy", command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: fulcrum policy ${command}`);
    expect(stdout).toContain("Example:");
  });

  test("--version is that of the package", async () => {
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });
});

describe("usage errors end with 2 and say what is wrong, on stderr only", () => {
  test.each([
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["plan", "--frobnicate"], "unknown option '--frobnicate'"],
    [["policy", "check"], "missing required argument 'files'"],
    [["policy", "chek", "x.yaml"], "unknown command 'chek'"],
    [["backtest"], "required option '--policy <file>' not specified"],
    [["backtest", "--report-loss", "1"], "Write a share from 0 to below 1"],
    [["backtest", "--local-prefill", "0/10"], "Write tokens per step and tokens queued at prefill"],
    [["topology"], "required option '--gpus <n>' not specified"],
    [["topology", "--gpus", "0"], "Write a whole number, 1 or more"],
    [["topology", "--gpus", "8"], "required option '--ttft <time>' not specified"],
    [["topology", "--gpus", "8", "--ttft", "1s"], "either --trace FILE or --shape PROMPT/ANSWER"],
    [["topology", "--gpus", "8", "--ttft", "1s", "--shape", "10"], "write prompt and answer tokens, for example 3000/150"],
    [["topology", "--gpus", "1", "--ttft", "1s", "--shape", "10/10"], "leave no GPU for the other role"],
    [["topology", "--gpus", "8", "--ttft", "1s", "--shape", "10/10", "--chunks", "big"], '"big" is not a number of tokens'],
    [["demo", "--rate", "0"], "Write a number above zero"],
    [["demo", "--rate", ""], "Write a number above zero"],
    [["demo", "--duration", "5"], "Write a number with a unit"],
    [["demo", "--port", "70000"], "Write a port number"],
    [["demo", "--port", "65500"], "Write a port up to 65000"],
    [["demo", "--engine", "triton"], "Allowed choices are vllm, sglang"],
    [["demo", "--seed", "-1"], "Write a whole number"],
    [["replay"], "missing required argument 'journal'"],
    [["explain"], "missing required argument 'journal'"],
    [["fleet"], "required option '--config <file>' not specified"],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("no command prints the usage", async () => {
    const { code, stderr } = await runCli([]);
    expect(code).toBe(2);
    expect(stderr).toContain("Usage: fulcrum");
  });
});
