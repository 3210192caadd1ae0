import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inForce, MODES, restraint, type ModeOverride, type Overrides } from "../../../core/override.ts";
import { createOverrideMap } from "../../../scaler/kube/override-map.ts";
import { edited, emptyDocument, parseDocument, type OverrideEdit } from "../../../scaler/overrides/document.ts";
import { overrideFile } from "../../../scaler/overrides/file.ts";
import type { OverridePlace } from "../../../scaler/overrides/place.ts";
import { openOverrides, type OverrideNews, type OverrideStore } from "../../../scaler/overrides/store.ts";
import { apiOf } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { listLog, type ListLog } from "../support/log.ts";

const override: fc.Arbitrary<ModeOverride> = fc.record(
  {
    mode: fc.constantFrom("observe", "paused"),
    by: fc.constantFrom("alice", "bob"),
    at: fc.integer({ min: 0, max: 100 }),
    until: fc.integer({ min: 0, max: 200 }),
  },
  { requiredKeys: ["mode", "by", "at"] },
);

describe("what is in force", () => {
  test("never more than the policy's own mode, and nothing that is over, and the strictest of the rest", () => {
    const names = fc.constantFrom("demo/a", "demo/b", "*");
    fc.assert(
      fc.property(fc.dictionary(names, override), fc.constantFrom(...MODES), fc.integer({ min: 0, max: 250 }), (overrides, own, at) => {
        const found = inForce(overrides, "demo/a", own, at);
        const holding = [overrides["demo/a"], overrides["*"]].filter((o) => o !== undefined && (o.until ?? Infinity) > at);
        const strictest = Math.max(restraint(own), ...holding.map((o) => restraint(o?.mode ?? own)));
        expect(restraint(found?.mode ?? own)).toBe(strictest);
        if (found !== undefined) expect(holding).toContain(found);
        // Of two that say the same, the one that lasts longer.
        if (found?.until !== undefined)
          expect(holding.filter((o) => o?.mode === found.mode && (o.until ?? Infinity) > (found.until ?? 0))).toEqual([]);
      }),
    );
  });
});

describe("the document", () => {
  const edit: fc.Arbitrary<OverrideEdit> = fc.record({
    name: fc.constantFrom("demo/a", "demo/b", "*"),
    by: fc.constant("alice"),
    at: fc.integer({ min: 0, max: 1000 }),
    mode: fc.constantFrom("observe", "paused", null),
  });

  test("each edit sets or lifts one name, is told with its number, and what is written can be read", () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 120 }), (edits) => {
        let document = emptyDocument;
        for (const one of edits) {
          const next = edited(document, one);
          if (!next.ok) throw new Error(next.error);
          expect(next.value.overrides[one.name]?.mode ?? null).toBe(one.mode);
          expect(next.value.changes.at(-1)).toEqual({ ...one, seq: document.seq + 1 });
          document = next.value;
        }
        expect(document.changes.length).toBeLessThanOrEqual(50);
        expect(parseDocument(JSON.stringify(document))).toEqual(document);
      }),
    );
  });

  test.each([
    "",
    "{}",
    "[]",
    '{"format":2,"seq":0,"overrides":{},"changes":[]}',
    '{"format":1,"seq":0,"overrides":{"*":{"mode":"enforce","by":"x","at":1}},"changes":[]}',
    '{"format":1,"seq":0,"overrides":{"a/b":{"mode":"paused","by":"x"}},"changes":[]}',
  ])("%s is none", (text) => expect(parseDocument(text)).toBeUndefined());

  test("it does not grow without end: what is over leaves, and over 500 at once are refused", () => {
    let document = emptyDocument;
    for (let i = 0; i < 500; i++) {
      const next = edited(document, { name: `demo/${i}`, by: "a", at: 1, mode: "paused", until: 10 });
      if (next.ok) document = next.value;
    }
    expect(edited(document, { name: "demo/x", by: "a", at: 5, mode: "paused" })).toMatchObject({ ok: false });
    const later = edited(document, { name: "demo/x", by: "a", at: 11, mode: "paused" });
    expect(later.ok && Object.keys(later.value.overrides)).toEqual(["demo/x"]);
  });
});

let directory: string;
let now = 1000;
let news: OverrideNews[] = [];
let log: ListLog;
const stores: OverrideStore[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fulcrum-overrides-"));
  [now, news, log] = [1000, [], listLog()];
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  rmSync(directory, { recursive: true, force: true });
});
async function open(place: OverridePlace): Promise<OverrideStore> {
  const store = await openOverrides({ place, clock: () => now, onNews: (one) => news.push(one), log });
  stores.push(store);
  return store;
}
const pause = (more: Partial<OverrideEdit> = {}): OverrideEdit => ({ name: "*", by: "alice", at: now, mode: "paused", ...more });
const modes = (overrides: Overrides): Record<string, string> =>
  Object.fromEntries(Object.entries(overrides).map(([name, o]) => [name, o.mode]));

describe("on disk", () => {
  test("a pause survives a restart; its end is told once, by whoever runs then", async () => {
    const path = join(directory, "overrides.json");
    const first = await open(overrideFile(path));
    expect(await first.change(pause({ until: 1060, reason: "drill" }))).toEqual({ ok: true, value: undefined });
    expect(news).toEqual([{ name: "*", by: "alice", at: 1000, mode: "paused", until: 1060, reason: "drill" }]);
    news = [];
    const second = await open(overrideFile(path));
    expect(modes(second.current())).toEqual({ "*": "paused" });
    now = 1059;
    await second.renew();
    expect(news).toEqual([]);
    now = 1060;
    await second.renew();
    await second.renew();
    expect(news).toEqual([{ at: 1060, name: "*", mode: null, expired: true }]);
    news = [];
    await open(overrideFile(path));
    expect(news).toEqual([]);
  });

  test("a file that cannot be read counts as a pause, until an operator starts over for all policies", async () => {
    const path = join(directory, "overrides.json");
    writeFileSync(path, '{"format":1,"seq"');
    const store = await open(overrideFile(path));
    expect(inForce(store.current(), "demo/a", "enforce", now)).toMatchObject({
      mode: "paused",
      by: "fulcrum",
      reason: expect.stringContaining(path) as string,
    });
    expect(await store.change(pause({ name: "demo/a" }))).toMatchObject({ ok: false });
    expect(await store.change(pause({ mode: null }))).toMatchObject({ ok: true });
    expect(store.current()).toEqual({});
    expect(parseDocument(readFileSync(path, "utf8"))).toMatchObject({ overrides: {} });
  });

  test("what cannot be kept is not in force, and the operator is told", async () => {
    const path = join(directory, "overrides.json");
    // What is written goes beside first, and there something stands in the way.
    mkdirSync(`${path}.tmp`);
    const store = await open(overrideFile(path));
    const done = await store.change(pause());
    expect(!done.ok && done.error).toContain(path);
    expect([store.current(), news]).toEqual([{}, []]);
  });
});

describe("shared in a ConfigMap", () => {
  let server: KubeApiServer;
  beforeEach(async () => {
    server = await startKubeApi();
  });
  afterEach(() => server.close());
  const map = (): OverridePlace => createOverrideMap({ api: apiOf(server), namespace: "fulcrum", lease: "fulcrum-scaler" });
  const at = (): string[] => ["configmaps.", "fulcrum", "fulcrum-scaler-overrides"];

  test("what is said to one scaler the other knows at its next decision", async () => {
    const [one, two] = [await open(map()), await open(map())];
    await one.change(pause({ name: "demo/a" }));
    expect(two.current()).toEqual({});
    now += 2;
    await two.renew();
    expect(modes(two.current())).toEqual({ "demo/a": "paused" });
    await two.change(pause({ name: "demo/b", mode: "observe" }));
    // Over what the other one wrote in between.
    await one.change(pause({ name: "demo/c" }));
    now += 2;
    await two.renew();
    expect(modes(two.current())).toEqual({ "demo/a": "paused", "demo/b": "observe", "demo/c": "paused" });
    expect(two.changes().map(({ seq, name }) => `${seq} ${name}`)).toEqual(["1 demo/a", "2 demo/b", "3 demo/c"]);
    // Each tells each change once, its own and the other's.
    expect(news.map(({ name }) => name).toSorted()).toEqual(["demo/a", "demo/a", "demo/b", "demo/b", "demo/c", "demo/c"]);
  });

  test("two that write at the same moment lose nothing", async () => {
    const [one, two] = [await open(map()), await open(map())];
    const done = await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? one : two).change(pause({ name: `demo/${i}` }))));
    expect(done.filter(({ ok }) => !ok)).toEqual([]);
    now += 2;
    await one.renew();
    expect(Object.keys(one.current()).toSorted()).toEqual([0, 1, 2, 3, 4, 5].map((i) => `demo/${i}`));
  });

  test("while the API server is away what was known stays; a scaler that never knew holds", async () => {
    const known = await open(map());
    await known.change(pause({ name: "demo/a" }));
    const place = map();
    await server.close();
    now += 2;
    await known.renew();
    expect(modes(known.current())).toEqual({ "demo/a": "paused" });
    expect(await known.change(pause())).toMatchObject({ ok: false });
    const fresh = await open(place);
    expect(modes(fresh.current())).toEqual({ "*": "paused" });
    server = await startKubeApi();
  });

  test("a ConfigMap that somebody broke counts as a pause, one that is gone as none", async () => {
    const store = await open(map());
    await store.change(pause({ name: "demo/a", mode: "observe" }));
    const [kind = "", namespace = "", name = ""] = at();
    server.store.update(kind, namespace, name, (o) => ({ ...o, data: { "overrides.json": "{" } }));
    now += 2;
    await store.renew();
    expect(modes(store.current())).toEqual({ "*": "paused" });
    server.store.update(kind, namespace, name, (o) => ({ ...o, data: {} }));
    now += 2;
    await store.renew();
    expect(store.current()).toEqual({});
  });
});
