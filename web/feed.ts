import type { PageMessage } from "../wire/page.ts";

export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "open" }
  /** Not connected; `retryAt` on the local monotonic clock, in seconds. */
  | { readonly state: "lost"; readonly retryAt: number };

export interface FeedEvents {
  readonly message: (message: PageMessage) => void;
  readonly link: (link: Link) => void;
  /** A text that is no message; the feed goes on. */
  readonly unreadable: () => void;
  /** Seconds of silence after which a connection counts as dead (a half-open one never closes by itself). */
  readonly patience: () => number;
}

const FIRST_DELAY = 0.5;
const LONGEST_DELAY = 10;

/** Seconds to wait before try `attempt` (0 first). Jitter keeps many pages from storming a restarted scaler. */
export function backoff(attempt: number, random: number): number {
  const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 16));
  return full * (0.5 + random / 2);
}

export const localSeconds = (): number => performance.now() / 1000;

/** Keeps one connection to the scaler until closed. */
export class Feed {
  readonly #url: string;
  readonly #on: FeedEvents;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #heard = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #watch: ReturnType<typeof setInterval>;

  constructor(url: string, on: FeedEvents) {
    this.#url = url;
    this.#on = on;
    this.#watch = setInterval(() => this.#checkSilence(), 1000);
    this.#connect();
  }

  /** Skips the wait, e.g. when the network came back or the tab is looked at again. */
  retryNow(): void {
    if (this.#socket !== null) return;
    this.#attempt = 0;
    this.#connect();
  }

  close(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#drop();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#heard = localSeconds();
    this.#on.link({ state: "connecting" });
    socket.onopen = () => this.#on.link({ state: "open" });
    socket.onmessage = (event: MessageEvent<unknown>) => this.#receive(event.data);
    // `error` is always followed by `close`, which does the work.
    socket.onclose = () => this.#lost();
  }

  #receive(data: unknown): void {
    this.#heard = localSeconds();
    const message = parse(data);
    if (message === null) return this.#on.unreadable();
    // Only now is the scaler known to be there; a proxy that accepts and closes must not reset the back-off.
    this.#attempt = 0;
    this.#on.message(message);
  }

  #lost(): void {
    this.#drop();
    const delay = backoff(this.#attempt++, Math.random());
    this.#on.link({ state: "lost", retryAt: localSeconds() + delay });
    this.#retry = setTimeout(() => this.#connect(), delay * 1000);
  }

  #checkSilence(): void {
    if (this.#socket !== null && localSeconds() - this.#heard > this.#on.patience()) this.#lost();
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** The scaler is trusted for the shape; what is checked is that it is a message at all. */
function parse(data: unknown): PageMessage | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && "type" in value ? (value as PageMessage) : null;
  } catch {
    return null;
  }
}
