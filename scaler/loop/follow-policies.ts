import { ScalerError } from "../config.ts";
import type { Log } from "../log.ts";
import type { PolicyObject } from "../policy/objects.ts";
import { doubtful } from "../policy/doubtful.ts";
import { formatProblem } from "../policy/problem.ts";
import type { Policy } from "../policy/schema.ts";
import { settle, type Candidate } from "../policy/settle.ts";
import { watchPolicies, type PolicyFile, type PolicyWatch } from "../policy/watch.ts";
import type { PolicyProblemNote } from "../../wire/page.ts";

export interface FollowOptions {
  /** A policy file or a directory of them. */
  readonly path: string | undefined;
  /** Begins to tell ScalingPolicy objects, whole, after each change; undefined = only files are read. */
  readonly watchObjects: ((onChange: (objects: readonly PolicyObject[]) => void) => { stop(): void }) | undefined;
  readonly setPolicies: (policies: readonly Policy[]) => Promise<void>;
  /** What is thought of each object, after each change. */
  readonly onJudged: (judged: readonly Judged[]) => void;
  /** Of a file, or of what messages call an object. Undefined: it is gone. */
  readonly onValidity: (origin: string, valid: boolean | undefined) => void;
  readonly log: Log;
}

/** An object, and why it is not in use. */
export interface Judged {
  readonly object: PolicyObject;
  readonly verdict: { readonly kind: "in use" } | { readonly kind: "invalid" | "conflict"; readonly message: string };
}

export interface FollowedPolicies {
  /** What keeps a policy from being in use, now. */
  problems(): readonly PolicyProblemNote[];
  /** Every source has been read: that there is no policy is then known, not merely not known yet. */
  known(): boolean;
  close(): void;
}

/** At the start every file must be good; later an invalid edit of a file keeps its last good policies. An object that is not valid is not in use. */
export async function followPolicies(options: FollowOptions): Promise<FollowedPolicies> {
  const { path, watchObjects, log } = options;
  let files: readonly PolicyFile[] = [];
  let objects: readonly PolicyObject[] | undefined = watchObjects === undefined ? [] : undefined;
  let problems: readonly PolicyProblemNote[] = [];
  let told = new Set<string>();
  let doubted = new Set<string>();
  let shown = new Set<string>();

  /** Until the objects are known nothing runs: one of them may be in conflict with a file. */
  function decide(): void {
    if (objects === undefined) return;
    const sorted = files.toSorted((a, b) => (a.file < b.file ? -1 : 1));
    const ofFiles = sorted.flatMap(({ file, policies }) => policies.map((policy): Candidate => ({ origin: file, policy })));
    const ofObjects = objects.flatMap((object) =>
      object.policy.ok ? [{ object, candidate: { origin: callObject(object), policy: object.policy.value } satisfies Candidate }] : [],
    );
    const { inUse, conflicts } = settle([...ofFiles, ...ofObjects.map(({ candidate }) => candidate)]);
    const judged = objects.map((object): Judged => {
      if (!object.policy.ok) return { object, verdict: { kind: "invalid", message: object.policy.error.map(inWords).join("; ") } };
      const candidate = ofObjects.find((o) => o.object === object)?.candidate;
      const message = candidate === undefined ? undefined : conflicts.get(candidate);
      return { object, verdict: message === undefined ? { kind: "in use" } : { kind: "conflict", message } };
    });
    problems = [
      ...sorted.flatMap(({ problems: found }) => found.map((p) => ({ where: p.file, message: formatProblem(p) }))),
      ...ofFiles.flatMap((c) => noteOf(c.origin, conflicts.get(c))),
      ...judged.flatMap(({ object, verdict }) =>
        verdict.kind === "in use"
          ? []
          : [{ where: callObject(object), message: verdict.kind === "conflict" ? conflictText(verdict.message) : verdict.message }],
      ),
    ];
    tell([...sorted.map(({ file }) => file), ...objects.map(callObject)]);
    options.onJudged(judged);
    warn(inUse);
    void options.setPolicies(inUse);
  }

  function tell(origins: readonly string[]): void {
    const bad = new Set(problems.map(({ where }) => where));
    for (const origin of origins) options.onValidity(origin, !bad.has(origin));
    for (const origin of shown) if (!origins.includes(origin)) options.onValidity(origin, undefined);
    shown = new Set(origins);
    const now = new Set(problems.map(({ where, message }) => `${where} ${message}`));
    for (const { where, message } of problems)
      if (!told.has(`${where} ${message}`)) log.error({ where, problem: message }, "policy: not in use as it stands");
    told = now;
  }

  function warn(inUse: readonly Policy[]): void {
    const now = new Set<string>();
    for (const policy of inUse) {
      const name = `${policy.metadata.namespace}/${policy.metadata.name}`;
      for (const doubt of doubtful(policy)) {
        now.add(`${name} ${doubt}`);
        if (!doubted.has(`${name} ${doubt}`)) log.warn({ policy: name, doubt }, "policy: in use, but hardly meant so");
      }
    }
    doubted = now;
  }

  const watch = path === undefined ? undefined : await watchFiles(path, log, (found) => ((files = found), decide()));
  files = watch?.files() ?? [];
  const objectWatch = watchObjects?.((found) => ((objects = found), decide()));
  decide();
  return {
    problems: () => problems,
    known: () => objects !== undefined,
    close() {
      watch?.close();
      objectWatch?.stop();
    },
  };
}

async function watchFiles(path: string, log: Log, onChange: (files: readonly PolicyFile[]) => void): Promise<PolicyWatch> {
  let started = false;
  const watch = await watchPolicies({
    path,
    onChange: (files) => (started ? onChange(files) : undefined),
    onError: (error) => log.warn({ err: error, path }, "policy: cannot be read now"),
  }).catch((error: unknown) => {
    throw new ScalerError("bad-policy", `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const problems = watch.files().flatMap((file) => file.problems);
  if (problems.length > 0) {
    watch.close();
    throw new ScalerError("bad-policy", problems.map(formatProblem).join("\n"));
  }
  started = true;
  return watch;
}

const callObject = ({ namespace, name }: PolicyObject): string => `ScalingPolicy ${namespace}/${name}`;
const inWords = ({ code, message }: { readonly code: string; readonly message: string }): string => `${code} ${message}`;
const conflictText = (message: string): string => `POLICY_CONFLICT ${message}`;
const noteOf = (where: string, message: string | undefined): readonly PolicyProblemNote[] =>
  message === undefined ? [] : [{ where, message: `${where}:1:1: ${conflictText(message)}` }];
