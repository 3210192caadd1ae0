import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import { createLink } from "../../agent/link.ts";
import { until } from "./support/until.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Line {
  readonly cause?: string;
  readonly msg: string;
}

/** A link to a server that answers every upgrade with the next of these, over and over; what was warned of, and after how many. */
async function refusedBy(answers: readonly string[]): Promise<{ readonly warned: Line[]; tries(): number }> {
  let tries = 0;
  const server = createServer();
  server.on("upgrade", (_, socket) => socket.end(answers[tries++ % answers.length]));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const warned: Line[] = [];
  const lines = new Writable({
    write(chunk: Buffer, _, done) {
      warned.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  const { port } = server.address() as AddressInfo;
  const link = createLink({
    ...{ url: `ws://127.0.0.1:${port}/agents`, token: () => undefined, node: "n", boot: "b", version: "0", outboxSize: 1 },
    ...{ log: pino({ level: "warn" }, lines), random: () => 0, onAcknowledged: () => undefined, onDropped: () => undefined },
  });
  const stop = new AbortController();
  const ended = link.run(stop.signal);
  open.push(async () => {
    stop.abort();
    await ended;
    server.close();
  });
  return { warned, tries: () => tries };
}

const answer = (status: string, body = ""): string =>
  `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

it("each reason is told once while the scaler is away, also where two of them come by turns", async () => {
  const { warned, tries } = await refusedBy([answer("401 Unauthorized", "it has expired; renew it"), answer("503 Service Unavailable")]);
  await until("six tries", () => tries() >= 6);
  expect(warned.map(({ cause }) => cause).toSorted()).toEqual([
    "the scaler answered 503",
    "the scaler refused our certificate: it has expired; renew it",
  ]);
});

it("an answer that is torn, says nothing or is none is told too", async () => {
  const { warned } = await refusedBy([answer("401 Unauthorized")]);
  await until("a warning", () => warned.length > 0);
  expect(warned[0]).toMatchObject({ cause: "the scaler refused our token, or that there is none (401)" });
  const torn = await refusedBy(["HTTP/1.1 401 Unauthorized\r\nContent-Length: 900\r\n\r\nit has exp"]);
  await until("a warning", () => torn.warned.length > 0);
  expect(torn.warned[0]).toMatchObject({ cause: "the scaler refused our certificate: it has exp" });
  const silent = await refusedBy([""]);
  await until("a warning", () => silent.warned.length > 0);
  expect(silent.warned[0]?.cause).toMatch(/socket hang up|closed without a word/);
});
