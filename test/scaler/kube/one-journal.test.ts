import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJournal } from "../../../scaler/journal/read.ts";
import type { JournalRecord } from "../../../scaler/journal/records.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { countController } from "../support/count-controller.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { runTestScaler, type RunOptions, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const POLICY = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment");

let server: KubeApiServer;
let scalers: RunningScaler[] = [];

beforeEach(async () => {
  server = await startKubeApi();
  for (const name of ["prefill", "decode"]) startWorkload(server, "Deployment", name, { replicas: 1 });
});
afterEach(async () => {
  await Promise.all(scalers.map((s) => s.stop()));
  await Promise.all(scalers.map((s) => s.remove()));
  scalers = [];
  await server.close();
});

async function run(settings: RunOptions["settings"] = {}, directory?: string): Promise<RunningScaler> {
  const scaler = await runTestScaler({
    policy: POLICY,
    settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig, advertise: "127.0.0.1", ...settings },
    ...(directory === undefined ? {} : { directory }),
  });
  scalers.push(scaler);
  return scaler;
}

async function stop(scaler: RunningScaler): Promise<void> {
  scalers = scalers.filter((s) => s !== scaler);
  await scaler.stop();
}

const leads = async (scaler: RunningScaler): Promise<boolean> => /^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text());
const toLead = (scaler: RunningScaler): Promise<true> => until("it to lead", async () => ((await leads(scaler)) ? true : undefined));
const records = async ({ directory }: RunningScaler): Promise<readonly JournalRecord[]> =>
  (await readJournal(join(directory, "journal")).catch(() => ({ records: [] }))).records;
const ticks = async (scaler: RunningScaler): Promise<readonly number[]> =>
  (await records(scaler)).flatMap((r) => (r.kind === "tick" ? [r.at] : []));

/** Until the second has `least` decisions of the first, and all but those of the last seconds. */
const caughtUp = (first: RunningScaler, second: RunningScaler, least = 30): Promise<readonly number[]> =>
  until("the copy", async () => {
    const [own, copied] = [await ticks(first), await ticks(second)];
    return copied.length >= least && own.length - copied.length < 40 ? copied : undefined;
  });

test("who stands by has the leader's decisions, and after a takeover one history that replays", async () => {
  const first = await run({ journalMaxBytes: 65_536 });
  await toLead(first);
  const second = await run();
  // More than fits into a file.
  await caughtUp(first, second, 120);
  await stop(first);
  await toLead(second);
  const own = await until("decisions of its own", async () => {
    const all = await ticks(second);
    const last = (await ticks(first)).at(-1) ?? Infinity;
    return all.filter((at) => at > last).length >= 5 ? all : undefined;
  });
  // In the order in which they were taken, each once.
  expect(own).toEqual([...new Set(own)].sort((a, b) => a - b));
  // Several of the leader's files, begun where it began them.
  expect((await records(second)).filter((r) => r.kind === "start").length).toBeGreaterThan(2);
  expect(replay(await records(second), countController).differences).toEqual([]);
  expect(await (await second.get("/metrics")).text()).toMatch(/^fulcrum_journal_copies_total\{outcome="copied"\} [1-9]/m);
  await first.remove();
}, 60_000);

test("a leader that comes back copies what its successor decided, and leads on in the same history", async () => {
  const first = await run();
  await toLead(first);
  const second = await run();
  await caughtUp(first, second);
  await stop(first);
  await toLead(second);
  const back = await run({}, first.directory);
  const between = await until("the successor's decisions", async () => {
    const [theirs, here] = [await ticks(second), await ticks(back)];
    const since = theirs.filter((at) => here.includes(at)).length;
    return theirs.length - since < 40 && here.length > 50 ? here : undefined;
  });
  await stop(second);
  await toLead(back);
  await until("decisions of its own", async () => ((await ticks(back)).length > between.length + 45 ? true : undefined));
  const all = await ticks(back);
  expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
  expect(replay(await records(back), countController).differences).toEqual([]);
  await second.remove();
}, 60_000);

const PEER = "header.payload.scaler";
const AGENT = "header.payload.agent";
const PAGE = "0123456789abcdef0123456789abcdef";

/** Two files of tokens, and the settings of a scaler whose page needs one. */
async function guarded(directory: string, own: string): Promise<RunOptions["settings"]> {
  server.tokens.set(PEER, { username: "system:serviceaccount:fulcrum:fulcrum-scaler", audiences: ["fulcrum"] });
  server.tokens.set(AGENT, { username: "system:serviceaccount:fulcrum:fulcrum-agent", audiences: ["fulcrum"] });
  const [pageTokens, peerTokenFile] = [join(directory, "page"), join(directory, "own")];
  await writeFile(pageTokens, PAGE);
  await writeFile(peerTokenFile, `${own}\n`);
  return { pageTokens, peerTokenFile, peerAccount: ["fulcrum/fulcrum-scaler"] };
}

test("where the page needs tokens, the other scaler's account reads the journal and nothing else; an agent's reads nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fulcrum-tokens-"));
  const first = await run(await guarded(directory, PEER));
  const as = async (token: string | undefined, path: string): Promise<number> =>
    (await fetch(`${first.url}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })).status;
  expect([await as(PEER, "/api/journal"), await as(PAGE, "/api/journal")]).toEqual([200, 200]);
  expect([await as(AGENT, "/api/journal"), await as(undefined, "/api/journal")]).toEqual([401, 401]);
  expect([await as(PEER, "/api/state"), await as(PEER, "/api/decisions")]).toEqual([401, 401]);
  expect([await as(PAGE, "/api/journal?file=journal-000001.jsonl"), await as(PAGE, "/api/journal?file=x&from=-1")]).toEqual([404, 400]);
  await toLead(first);
  const second = await run(await guarded(directory, PEER));
  await caughtUp(first, second);
  await rm(directory, { recursive: true });
}, 60_000);

test("a standby whose token is not good there copies nothing, says so once, and stands by", async () => {
  const [mine, theirs] = await Promise.all(["a", "b"].map((name) => mkdtemp(join(tmpdir(), `fulcrum-tokens-${name}-`))));
  const first = await run(await guarded(mine ?? "", PEER));
  await toLead(first);
  const second = await run(await guarded(theirs ?? "", AGENT));
  const told = (): number =>
    second.log.lines.filter((line) => JSON.stringify(line).includes("journal: the leader's cannot be copied")).length;
  await until("the refusal", () => (told() > 0 ? true : undefined));
  await until("more rounds", async () =>
    /^fulcrum_journal_copies_total\{outcome="failed"\} [3-9]/m.test(await (await second.get("/metrics")).text()) ? true : undefined,
  );
  expect([told(), await records(second)]).toEqual([1, []]);
  for (const directory of [mine, theirs]) await rm(directory ?? "", { recursive: true });
}, 60_000);
