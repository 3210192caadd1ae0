import { type ServerInterceptor, ServerInterceptingCall, status } from "@grpc/grpc-js";
import type { SpanDropReason } from "./span-intake.ts";

/** Calls being received at once, over all connections; with the message limit this bounds memory. */
const MAX_CALLS = 16;
/** Exporters give up after 10 s themselves. */
const RECEIVE_TIMEOUT = 10_000;

/**
 * Bounds what senders can hold open: the number of calls whose message is still on its way, and how long one may take. A call
 * that ends without its message (too large, cut off, too slow) never reaches the handler, so it is counted here.
 */
export function createCallGuard(refuse: (reason: SpanDropReason) => void): ServerInterceptor {
  let receiving = 0;
  return (_, call) => {
    let open = false;
    let timer: NodeJS.Timeout | undefined;
    const received = (): void => {
      if (open) receiving--;
      open = false;
      clearTimeout(timer);
    };
    const guarded: ServerInterceptingCall = new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, forward) {
            if (receiving >= MAX_CALLS) {
              refuse("overload");
              return guarded.sendStatus({ code: status.UNAVAILABLE, details: `more than ${MAX_CALLS} calls at once` });
            }
            receiving++;
            open = true;
            const late = { code: status.DEADLINE_EXCEEDED, details: `no complete message within ${RECEIVE_TIMEOUT / 1000} s` };
            timer = setTimeout(() => guarded.sendStatus(late), RECEIVE_TIMEOUT);
            forward(metadata);
          },
          onReceiveMessage(message, forward) {
            received();
            forward(message);
          },
          onCancel() {
            if (open) refuse("broken-off");
            received();
          },
        });
      },
    });
    return guarded;
  };
}
