import { once } from "node:events";
import { WebSocket } from "ws";
import type { ScalerMessage } from "../../../wire/messages.ts";
import { until } from "./wait.ts";

/** The agent's end of the link, as plain as can be: sends what it is told, keeps what it hears. */
export interface AgentClient {
  readonly socket: WebSocket;
  readonly heard: ScalerMessage[];
  send(message: unknown): void;
  /** The next message of that type, in order. */
  next<T extends ScalerMessage["type"]>(type: T): Promise<Extract<ScalerMessage, { type: T }>>;
  closed(): Promise<number>;
  close(): void;
}

export async function connectAgent(url: string, headers: Record<string, string> = {}): Promise<AgentClient> {
  const socket = new WebSocket(url, { headers });
  const heard: ScalerMessage[] = [];
  const closed = once(socket, "close").then(([code]) => code as number);
  let read = 0;
  // A connection that is refused ends here too, and nobody may be waiting for it.
  closed.catch(() => undefined);
  socket.on("message", (data) => heard.push(JSON.parse(String(data)) as ScalerMessage));
  await once(socket, "open");
  return {
    socket,
    heard,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    next: (type) =>
      until(`a ${type} message`, () => {
        const index = heard.findIndex((m, i) => i >= read && m.type === type);
        if (index < 0) return undefined;
        read = index + 1;
        return heard[index] as Extract<ScalerMessage, { type: typeof type }>;
      }),
    closed: () => closed,
    close: () => socket.close(),
  };
}

export const hello = (node = "node-a", boot = "boot-1") => ({ type: "hello", v: 1, node, boot, version: "0.1.0" });
