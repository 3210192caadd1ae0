import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { vllmPage } from "../support/pages.ts";

export interface HostilePage {
  readonly name: string;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** How the source is reported: an error, or up with a note (`up: true`). */
  readonly up: boolean;
  readonly says: RegExp;
}

const good = vllmPage({ tokens: 100, itl: [3, 1, 0.1], running: 2 });
let served = 0;

const text =
  (page: string | Buffer | (() => string)) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.setHeader("content-type", "text/plain; version=0.0.4").end(typeof page === "function" ? page() : page);
  };

const million = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => `vllm:generation_tokens_total{engine="${i}"} ${i}\n`).join(""));
const bomb = gzipSync(Buffer.alloc(100_000_000, "a"));

/** What scraped pages do in the worst case; the agent outlives each, says what is wrong, and keeps the others right. */
export const HOSTILE_PAGES: readonly HostilePage[] = [
  { name: "cut in the middle of a line", answer: text(good.slice(0, -30)), up: true, says: /unreadable parts/ },
  {
    name: "a label of 1 MB",
    answer: text(`${good}x{l="${"y".repeat(1_000_000)}"} 1\nz{l="open} 1\n`),
    up: true,
    says: /1 unreadable parts/,
  },
  {
    name: "10,000 labels",
    answer: text(`${good}x{${Array.from({ length: 10_000 }, (_, i) => `l${i}="v"`).join(",")}} 1\n`),
    up: true,
    says: /more than 128 labels/,
  },
  { name: "every series twice", answer: text(good + good), up: true, says: /stands twice/ },
  {
    name: "values of wrong types",
    answer: text(`${good}vllm:prompt_tokens_total{engine="0"} many\nvllm:num_requests_waiting{engine="0"} {}\n`),
    up: true,
    says: /a sample has a number as value/,
  },
  { name: "an HTML page", answer: text("<!doctype html>\n<title>nginx</title>\n"), up: false, says: /^not a metrics page/ },
  {
    name: "binary",
    answer: text(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255))),
    up: false,
    says: /^not a metrics page/,
  },
  {
    name: "bytes that are not UTF-8",
    answer: text(Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x20, 0x31, 0x0a])])),
    up: true,
    says: /1 unreadable parts/,
  },
  { name: "a million series", answer: text(million), up: false, says: /larger than 8388608 bytes/ },
  {
    name: "other series at every scrape",
    answer: text(() => good + Array.from({ length: 20_000 }, () => `churn{id="${served++}"} 1\n`).join("") + `z{l="open} 1\n`),
    up: true,
    says: /unreadable parts/,
  },
  {
    name: "a gzip bomb",
    answer: (_, response) => response.setHeader("content-encoding", "gzip").end(bomb),
    up: false,
    says: /larger than 8388608 bytes/,
  },
  {
    name: "gzip cut short",
    answer: (_, response) => response.setHeader("content-encoding", "gzip").end(bomb.subarray(0, 50)),
    up: false,
    says: /./,
  },
  { name: "no answer at all", answer: () => undefined, up: false, says: /no complete answer within/ },
  {
    name: "a byte at a time",
    answer: (_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write("#"), 50);
      response.on("close", () => clearInterval(drip));
    },
    up: false,
    says: /no complete answer within/,
  },
  { name: "a connection cut at once", answer: (request) => request.socket.resetAndDestroy(), up: false, says: /./ },
  {
    name: "64 kB of headers",
    answer: (_, response) => response.setHeader("x-long", "y".repeat(64 * 1024)).end(good),
    up: false,
    says: /overflow|header/i,
  },
];
