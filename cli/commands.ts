import type { Define } from "./define.ts";

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: true;
  /** Each command's code is loaded only when it is the one asked for: the others cost no start-up time. */
  load(): Promise<Define>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "run a simulated fleet, agents and the scaler on a trace, with the live page",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  { name: "agent", summary: "run the agent of one node", load: async () => (await import("./commands/agent.ts")).agent },
  { name: "scaler", summary: "run the scaler", load: async () => (await import("./commands/scaler.ts")).scaler },
  {
    name: "fleet",
    summary: "run a simulated fleet alone",
    hidden: true,
    load: async () => (await import("./commands/fleet.ts")).fleet,
  },
  { name: "policy", summary: "check, show or describe scaling policies", load: async () => (await import("./commands/policy.ts")).policy },
  {
    name: "backtest",
    summary: "try a policy on recorded traffic against baselines",
    load: async () => (await import("./commands/backtest.ts")).backtest,
  },
  {
    name: "topology",
    summary: "compare aggregated serving with every prefill:decode split at equal GPUs",
    load: async () => (await import("./commands/topology.ts")).topology,
  },
  {
    name: "plan",
    summary: "answer observations on stdin with decisions on stdout, as JSON lines",
    load: async () => (await import("./commands/plan.ts")).plan,
  },
  {
    name: "replay",
    summary: "decide every entry of a journal again and print differences",
    load: async () => (await import("./commands/replay.ts")).replay,
  },
  {
    name: "explain",
    summary: "say why a decision of a journal was taken, and why not its neighbours",
    load: async () => (await import("./commands/explain.ts")).explain,
  },
  {
    name: "pause",
    summary: "stop the scaler from changing anything, for one policy or all, through its API",
    load: async () => (await import("./commands/pause.ts")).pause,
  },
  {
    name: "resume",
    summary: "take a pause back",
    load: async () => (await import("./commands/resume.ts")).resume,
  },
  {
    name: "doctor",
    summary: "preflight on a node: what the agent needs, a line each with the mend",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  { name: "profile", summary: "import measured latencies", load: async () => (await import("./commands/profile.ts")).profile },
];
