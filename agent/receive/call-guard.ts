import { type ServerInterceptor, ServerInterceptingCall, status } from "@grpc/grpc-js";
import type { SpanDropReason } from "./span-intake.ts";

/** Calls being received at once, over all connections; with the message limit this bounds memory. */
const MAX_CALLS = 16;
/**
 * Calls that wait until one of those has its message. Of a waiting call no more comes in than HTTP/2's first window, 64 KiB. An agent that the machine
 * has held up for some seconds finds the calls of all that time at once, each with its message right behind it.
 */
const MAX_WAITING = 128;
/** Exporters give up after 10 s themselves. */
const RECEIVE_TIMEOUT = 10_000;
const WAIT_TIMEOUT = 5000;

/**
 * Bounds what senders can hold open: the number of calls whose message is still on its way, and how long one may take. A call
 * that ends without its message (too large, cut off, too slow) never reaches the handler, so it is counted here.
 */
export function createCallGuard(refuse: (reason: SpanDropReason) => void): ServerInterceptor {
  let receiving = 0;
  // In the order they came.
  const waiting = new Set<() => void>();
  const release = (): void => {
    receiving--;
    for (const admit of waiting) return admit();
  };

  return (_, call) => {
    let stage: "done" | "waiting" | "receiving" = "done";
    let timer: NodeJS.Timeout | undefined;
    let admit: () => void = () => undefined;
    const end = (): void => {
      clearTimeout(timer);
      waiting.delete(admit);
      const was = stage;
      stage = "done";
      if (was === "receiving") release();
    };
    const turnAway = (): void => {
      end();
      refuse("overload");
      guarded.sendStatus({ code: status.UNAVAILABLE, details: `more than ${MAX_CALLS} calls at once` });
    };
    const guarded: ServerInterceptingCall = new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, forward) {
            admit = () => {
              end();
              stage = "receiving";
              receiving++;
              const late = { code: status.DEADLINE_EXCEEDED, details: `no complete message within ${RECEIVE_TIMEOUT / 1000} s` };
              timer = setTimeout(() => guarded.sendStatus(late), RECEIVE_TIMEOUT);
              forward(metadata);
            };
            if (receiving < MAX_CALLS) return admit();
            if (waiting.size >= MAX_WAITING) return turnAway();
            stage = "waiting";
            waiting.add(admit);
            timer = setTimeout(turnAway, WAIT_TIMEOUT);
          },
          onReceiveMessage(message, forward) {
            end();
            forward(message);
          },
          onCancel() {
            if (stage !== "done") refuse("broken-off");
            end();
          },
        });
      },
    });
    return guarded;
  };
}
