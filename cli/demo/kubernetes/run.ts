import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { EXIT, type ExitCode } from "../../exit.ts";
import { print } from "../../output.ts";
import { Screen } from "../screen.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { admitName, demoObjects } from "./manifests.ts";
import type { ClusterDemoOptions } from "./options.ts";
import { changesBetween, changeText, progressLines, progressOf, type Change, type Progress } from "./progress.ts";
import { apply, list, lookAround, removal, remove, type Found } from "./stage.ts";

/** Seconds: one round of the built-in load. */
const DURATION = 300;
const LOOK_MS = 2000;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function failed(exit: ExitCode, message: string): ExitCode {
  say(`fulcrum demo: ${message}`);
  return exit;
}

/** Fulcrum on simulated engines in the cluster of the current context, watched and removed again. Returns the exit code. */
export async function runClusterDemo(options: ClusterDemoOptions, signal: AbortSignal): Promise<ExitCode> {
  const kubectl = createKubectl();
  if (options.dryRun) return printManifests(kubectl, options);
  const context = await kubectl(["config", "current-context"]);
  if (!context.ok) return failed(EXIT.usage, `no cluster: ${context.error}; set KUBECONFIG, or choose one by kubectl config use-context`);
  const { namespace } = options;
  const found = await lookAround(kubectl, namespace);
  if (!found.ok) return failed(EXIT.outside, `context ${context.value.trim()}: ${found.error}`);
  if (found.value === "refused")
    return failed(EXIT.usage, `namespace ${namespace} is not a demo's, so nothing of it is touched; choose another with --namespace`);
  say(plan(context.value.trim(), options, found.value));
  if (!options.yes && !(await agreed(signal))) return EXIT.usage;
  return perform({ kubectl, options, signal, found: found.value, context: context.value.trim() });
}

async function printManifests(kubectl: Kubectl, { namespace, image }: ClusterDemoOptions): Promise<ExitCode> {
  const objects = await demoObjects(kubectl, { namespace, image, installed: undefined, withDefinition: true });
  if (!objects.ok) return failed(EXIT.outside, objects.error);
  await print(objects.value.map((object) => stringify(object)).join("---\n"));
  return EXIT.good;
}

function plan(context: string, { namespace, duration = DURATION, keep }: ClusterDemoOptions, found: Found): string {
  const fulcrum =
    found.installed === undefined
      ? "with Fulcrum itself, for that namespace only"
      : `looked after by the Fulcrum in namespace ${found.installed}; nodes of simulated engines need its agent (label fulcrum.dev/agent=true)`;
  const outside = [
    ...(found.installed === undefined ? [`the right to review tokens (ClusterRole ${admitName(namespace)})`] : []),
    ...(found.definition === "missing" ? ["the custom resource definition scalingpolicies.fulcrum.dev"] : []),
  ];
  const beside = outside.length === 0 ? "" : `, and outside of it ${outside.join(" and ")}`;
  return [
    `Context ${context}: ${found.again ? "a demo is there already, and begins anew" : "makes"} namespace ${namespace}${beside}.`,
    `In it simulated engines, ${fulcrum}; no GPU is used.`,
    keep ? "They stay (--keep)." : `All of it is removed after ${duration} s, or by Ctrl-C.`,
  ].join("\n");
}

async function agreed(signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    say("fulcrum demo: not on a terminal, so nobody can be asked; add --yes");
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question("Go on? [y/N] ", { signal }).catch(() => "");
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

interface Performance {
  readonly kubectl: Kubectl;
  readonly options: ClusterDemoOptions;
  readonly signal: AbortSignal;
  readonly found: Found;
  readonly context: string;
}

async function perform({ kubectl, options, signal, found, context }: Performance): Promise<ExitCode> {
  const { namespace, image, keep, json } = options;
  const withDefinition = found.definition !== "theirs";
  const objects = await demoObjects(kubectl, { namespace, image, installed: found.installed, withDefinition });
  if (!objects.ok) return failed(EXIT.outside, objects.error);
  // With a Fulcrum of another namespace the definition is there.
  const made = withDefinition && found.installed === undefined;
  // A demo before this one may have brought a Fulcrum of its own.
  const outside = { admit: found.installed === undefined || found.again, definition: made };
  const applied = await apply(kubectl, objects.value, made);
  const seen = applied.ok ? await watch(kubectl, options, signal) : undefined;
  let exit: ExitCode = EXIT.good;
  if (!applied.ok) exit = failed(EXIT.outside, applied.error);
  else if (seen?.decided !== true && !signal.aborted) exit = failed(EXIT.outside, "Fulcrum decided nothing; what was last seen is above");
  if (seen !== undefined) say(`\n${summary(seen)}`);
  let left: string | undefined = namespace;
  if (keep) say(`Kept. Remove it by: ${removal(namespace, outside)}`);
  if (!keep) {
    say("Removing; a second Ctrl-C leaves the rest to you.");
    const removed = await remove(kubectl, namespace, outside);
    if (removed.ok) left = undefined;
    if (removed.ok) say(removed.value);
    else exit = failed(EXIT.outside, removed.error);
  }
  if (json && seen !== undefined) await print(JSON.stringify({ context, namespace, ...seen, left: left ?? null }));
  return exit;
}

interface Seen {
  readonly seconds: number;
  readonly decided: boolean;
  readonly changes: readonly Change[];
  readonly last: Progress | undefined;
}

/** Until the time is over or the user ends it. What cannot be read in one round is read in the next. */
async function watch(kubectl: Kubectl, options: ClusterDemoOptions, signal: AbortSignal): Promise<Seen> {
  const { namespace, duration = DURATION, json } = options;
  const what = ["deployments,pods,scalingpolicies.fulcrum.dev", "--namespace", namespace];
  const screen = new Screen(process.stderr, json);
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const changes: Change[] = [];
  let last: Progress | undefined;
  let decided = false;
  while (!signal.aborted && elapsed() < duration) {
    const objects = await list(kubectl, what);
    if (objects.ok) {
      const now = progressOf(objects.value);
      if (last !== undefined) changes.push(...changesBetween(last, now));
      decided ||= now.decision !== undefined;
      last = now;
      screen.show(progressLines(now, elapsed(), duration, changes));
    } else if (!signal.aborted) screen.show([objects.error]);
    await sleep(Math.min(LOOK_MS, Math.max(0, duration - elapsed()) * 1000), undefined, { signal }).catch(() => undefined);
  }
  return { seconds: elapsed(), decided, changes, last };
}

const summary = ({ seconds, changes, last }: Seen): string =>
  [
    `After ${seconds.toFixed(0)} s: ${changes.length} changes of replica counts; TTFT p95 ${last?.ttft ?? "—"}, ITL p95 ${last?.itl ?? "—"}`,
    ...changes.map((change) => `  ${changeText(change)}`),
  ].join("\n");
