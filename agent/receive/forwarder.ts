import { type Health, down, unknown, up } from "../scrape/health.ts";
import { monotonicSeconds } from "../scrape/schedule.ts";
import type { Outcome, Sender } from "./forward-outcome.ts";
import { type Parcel, createForwardQueue } from "./forward-queue.ts";

/** Why spans did not reach the downstream collector. */
export const FORWARD_DROP_REASONS = ["queue-full", "refused", "expired", "shutdown", "unsupported", "partial"] as const;
export type ForwardDropReason = (typeof FORWARD_DROP_REASONS)[number];

/** One accepted request as it was received. */
export interface ReceivedRequest {
  /** Decompressed. */
  readonly message: Buffer;
  readonly contentType: string;
  /** As it crossed the wire, when that was compressed. */
  readonly wire?: { readonly body: Buffer; readonly encoding: string };
  readonly spans: number;
}

export interface Forwarder {
  /** Never waits and never fails: what cannot be forwarded is counted. */
  offer(request: ReceivedRequest): void;
  health(): Health;
  queuedBytes(): number;
  /** Sends what is queued for at most so many seconds; the rest is dropped and counted. */
  close(seconds: number): Promise<void>;
}

export interface ForwarderOptions {
  readonly sender: Sender;
  readonly queueBytes: number;
  /** Unix seconds, for the health shown. */
  readonly now: () => number;
  /** In [0, 1), for the backoff's jitter. */
  readonly random: () => number;
  forwarded(spans: number): void;
  dropped(reason: ForwardDropReason, spans: number): void;
  /** Seconds before the first retry; doubled with each failure. */
  readonly firstBackoff?: number;
}

const AT_ONCE = 4;
/** Of the collector's own exporters: first retry after 5 s, at most 30 s apart, given up after 5 min. Ours starts at 1 s. */
const FIRST_BACKOFF = 1;
const LAST_BACKOFF = 30;
const GIVE_UP = 300;

/**
 * Passes on what was accepted, so that pointing engines at the agent takes no traces from anybody. Bodies are sent as they
 * came. A downstream that is away pauses all sending, with exponential backoff and jitter, or as long as it asked for; after a
 * pause one request goes first. Delivery is at least once, as OTLP's is: an answer lost on the way means the bytes go twice.
 */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const { sender, now, random, forwarded, dropped, firstBackoff = FIRST_BACKOFF } = options;
  const queue = createForwardQueue(options.queueBytes);
  let health: Health = unknown;
  let active = 0;
  let failures = 0;
  let paused: NodeJS.Timeout | undefined;
  let closed = false;
  let idle: (() => void) | undefined;

  const drop = (reason: ForwardDropReason, parcels: readonly Parcel[]): void => {
    for (const { spans } of parcels) dropped(reason, spans);
  };

  const pause = (after: number | undefined): void => {
    failures++;
    if (paused !== undefined) return;
    const ceiling = Math.min(LAST_BACKOFF, firstBackoff * 2 ** Math.min(failures - 1, 16));
    const seconds = Math.min(GIVE_UP, Math.max(after ?? 0, ceiling * (0.5 + random() / 2)));
    paused = setTimeout(() => {
      paused = undefined;
      pump();
    }, seconds * 1000);
    // A pause must not keep a stopping agent alive; close() has its own limit.
    paused.unref();
  };

  const settle = (parcel: Parcel, outcome: Outcome, took: number): void => {
    if (outcome.kind === "sent") {
      failures = 0;
      health = up(now(), took);
      forwarded(parcel.spans - Math.min(outcome.rejected, parcel.spans));
      if (outcome.rejected > 0) dropped("partial", Math.min(outcome.rejected, parcel.spans));
      return;
    }
    health = down(health, now(), took, outcome.error);
    if (outcome.kind === "refused") return drop("refused", [parcel]);
    if (closed) return drop("shutdown", [parcel]);
    pause(outcome.after);
    if (monotonicSeconds() - parcel.since > GIVE_UP) drop("expired", [parcel]);
    else drop("queue-full", queue.putBack(parcel));
  };

  const run = async (parcel: Parcel): Promise<void> => {
    const start = monotonicSeconds();
    active++;
    const outcome = await sender.send(parcel).catch((cause: unknown): Outcome => ({ kind: "retry", error: String(cause) }));
    active--;
    settle(parcel, outcome, monotonicSeconds() - start);
    pump();
  };

  const pump = (): void => {
    const limit = failures > 0 ? 1 : AT_ONCE;
    while (!closed && paused === undefined && active < limit) {
      const parcel = queue.shift();
      if (parcel === undefined) break;
      void run(parcel);
    }
    if (active === 0 && (queue.size() === 0 || closed)) idle?.();
  };

  return {
    offer({ message, contentType, wire, spans }) {
      if (closed || !sender.takes(contentType)) return dropped(closed ? "shutdown" : "unsupported", spans);
      const since = monotonicSeconds();
      const sent = wire !== undefined && sender.compressed ? wire : undefined;
      const body = sent === undefined ? message : sent.body;
      drop("queue-full", queue.push({ body, contentType, spans, since, ...(sent && { contentEncoding: sent.encoding }) }));
      pump();
    },
    health: () => health,
    queuedBytes: () => queue.bytes(),
    async close(seconds) {
      // One more attempt now, whatever the pause says.
      clearTimeout(paused);
      paused = undefined;
      pump();
      if (queue.size() > 0 || active > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, seconds * 1000);
          idle = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      closed = true;
      clearTimeout(paused);
      drop("shutdown", queue.clear());
      // Ends what is still in flight; its outcome is counted as it comes back.
      sender.close();
    },
  };
}
