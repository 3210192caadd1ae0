import { WebSocket } from "ws";
import { decodeScalerMessage, encode } from "../wire/codec.ts";
import { LIMITS, PROTOCOL_VERSION } from "../wire/messages.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import { backoff } from "./link-backoff.ts";
import { failureCause, refusalCause } from "./link-failure.ts";
import { type Parcel, createOutbox } from "./link-outbox.ts";
import type { Log } from "./log.ts";
import { sleep } from "./scrape/schedule.ts";

/** Where the scaler is, and what is presented to it. */
export interface ScalerAddress {
  readonly url: string;
  /** Asked at each connection. */
  readonly token: () => string | undefined;
  /** Likewise; none by default. */
  readonly certificate?: () => ClientCertificate | undefined;
}

export interface LinkOptions extends ScalerAddress {
  readonly node: string;
  readonly boot: string;
  readonly version: string;
  readonly outboxSize: number;
  readonly log: Log;
  readonly random: () => number;
  onAcknowledged(reports: number): void;
  onDropped(reports: number): void;
}

export interface Link {
  /** Queues one report; it is kept until the scaler has acknowledged it. */
  send(parcel: Parcel): void;
  connected(): boolean;
  /** Connects and reconnects until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Waits until everything is acknowledged, at most `seconds`. */
  flush(seconds: number): Promise<void>;
}

/** Reports of a quiet node are 2–20 kB; 32 MiB hold ten minutes of a busy one without endangering the node. */
const OUTBOX_CHARS = 32 * 1024 * 1024;
export const HANDSHAKE_SECONDS = 5;
/** A peer that vanished without closing (node lost, network cut) is noticed after two of these. */
const PING_SECONDS = 5;
const CLOSE_SECONDS = 1;
const GONE = "the connection closed without a word";
/** Reasons told while the scaler is away. */
const MAX_TOLD = 10;

/**
 * The agent's end of the scaler link: `hello` → `welcome(seq)` → everything after `seq`, in order, each kept until `ack`.
 * A report is therefore folded exactly once per boot however often the connection breaks.
 */
export function createLink(options: LinkOptions): Link {
  const outbox = createOutbox(options.outboxSize, OUTBOX_CHARS);
  let live: WebSocket | undefined;
  let onEmpty: (() => void) | undefined;
  /** Of the last failure, and those told since the link was up: two scalers behind one name may answer by turns. */
  let cause = GONE;
  const told = new Set<string>();

  const acknowledge = (seq: number): void => {
    const count = outbox.acknowledge(seq);
    if (count > 0) options.onAcknowledged(count);
    if (outbox.size() === 0) onEmpty?.();
  };

  const connectOnce = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      let welcomed = false;
      const socket = openSocket(options);
      const keepalive = keepAlive(socket);
      const close = (): void => closeCleanly(socket);
      cause = GONE;
      const failed = (text: string): void => {
        // The first word is the reason; what follows is how the connection came down.
        if (cause === GONE) cause = text;
        options.log.debug({ cause: text }, "scaler link error");
      };
      signal.addEventListener("abort", close, { once: true });

      socket.on("open", () => {
        const { node, boot, version } = options;
        socket.send(encode({ type: "hello", v: PROTOCOL_VERSION, node, boot, version }));
      });
      socket.on("message", (data, isBinary) => {
        const message = isBinary ? undefined : decodeScalerMessage(String(data));
        if (message?.ok !== true) {
          options.log.warn({ problem: message?.error.message ?? "binary message" }, "the scaler sent something that is not the protocol");
          return socket.close(1002);
        }
        switch (message.value.type) {
          case "welcome":
            welcomed = true;
            live = socket;
            told.clear();
            acknowledge(message.value.seq);
            for (const parcel of outbox.all()) socket.send(parcel.text);
            options.log.info({ resent: outbox.size() }, "connected to the scaler");
            return;
          case "ack":
            return acknowledge(message.value.seq);
          case "refused":
            failed(`the scaler refused us: ${message.value.message}`);
            options.log.warn({ code: message.value.code, reason: message.value.message }, "the scaler refused a message");
        }
      });
      socket.on("unexpected-response", (_, response) => {
        refusalCause(response, HANDSHAKE_SECONDS, (text) => {
          failed(text);
          socket.terminate();
        });
      });
      socket.on("error", (error) => failed(failureCause(error)));
      socket.on("close", (code) => {
        clearInterval(keepalive);
        signal.removeEventListener("abort", close);
        if (live === socket) live = undefined;
        if (welcomed) options.log.warn({ code }, "the scaler link closed");
        resolve(welcomed);
      });
    });

  return {
    send(parcel) {
      const dropped = outbox.push(parcel);
      if (dropped > 0) options.onDropped(dropped);
      if (live?.readyState === WebSocket.OPEN) live.send(parcel.text);
    },
    connected: () => live !== undefined,
    async run(signal) {
      let failures = 0;
      while (!signal.aborted) {
        failures = (await connectOnce(signal)) ? 1 : failures + 1;
        if (failures >= 3 && !told.has(cause) && told.size < MAX_TOLD) {
          told.add(cause);
          options.log.warn({ url: options.url, cause }, "the scaler cannot be reached; reports are kept and retried");
        }
        await sleep(backoff(failures, options.random()), signal);
      }
    },
    flush(seconds) {
      if (outbox.size() === 0 || live === undefined) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}

export function openSocket({ url, token: present, certificate }: ScalerAddress): WebSocket {
  const token = present();
  return new WebSocket(url, {
    handshakeTimeout: HANDSHAKE_SECONDS * 1000,
    maxPayload: LIMITS.message,
    // Compression costs the scaler 4–5 times the CPU per report and saves little of 2–20 kB.
    perMessageDeflate: false,
    ...certificate?.(),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  });
}

function keepAlive(socket: WebSocket): NodeJS.Timeout {
  let answered = true;
  socket.on("pong", () => (answered = true));
  return setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, PING_SECONDS * 1000);
}

function closeCleanly(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
  socket.close(1000);
  const timer = setTimeout(() => socket.terminate(), CLOSE_SECONDS * 1000);
  socket.on("close", () => clearTimeout(timer));
}
