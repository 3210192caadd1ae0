import { type WebSocket, WebSocketServer } from "ws";
import { decodeAgentMessage, encode } from "../../../wire/codec.ts";
import { type NodeReport, PROTOCOL_VERSION } from "../../../wire/messages.ts";
import { until } from "./until.ts";

export interface TestScaler {
  readonly url: string;
  readonly port: number;
  /** Every report as it came, resent ones included. */
  readonly received: NodeReport[];
  /** Reports folded once each, as the protocol promises: those with a new (boot, seq). */
  readonly folded: NodeReport[];
  readonly authorization: (string | undefined)[];
  /** Acknowledge or keep silent. */
  acknowledging: boolean;
  /** Ends every connection without a closing handshake, as a killed process does. */
  dropAll(): void;
  stop(): Promise<void>;
}

/** The other end of the link: real WebSocket server, the protocol's hello, welcome and ack, nothing else. */
export async function startScaler(port = 0, memory: Pick<TestScaler, "folded"> = { folded: [] }): Promise<TestScaler> {
  const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/agents", perMessageDeflate: false });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  const scaler: TestScaler = {
    url: `ws://127.0.0.1:${bound}/agents`,
    port: bound,
    received: [],
    folded: memory.folded,
    authorization: [],
    acknowledging: true,
    dropAll() {
      for (const client of server.clients) client.terminate();
    },
    stop() {
      this.dropAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  server.on("connection", (socket, request) => {
    scaler.authorization.push(request.headers.authorization);
    socket.on("message", (data) => onMessage(scaler, socket, String(data)));
  });
  return scaler;
}

function onMessage(scaler: TestScaler, socket: WebSocket, text: string): void {
  const message = decodeAgentMessage(text);
  if (!message.ok) throw new Error(`the agent sent what the wire does not allow: ${message.error.message}`);
  if (message.value.type === "hello") {
    const { boot } = message.value;
    const seq = Math.max(-1, ...scaler.folded.filter((r) => r.boot === boot).map((r) => r.seq));
    socket.send(encode({ type: "welcome", v: PROTOCOL_VERSION, seq }));
    return;
  }
  const report = message.value;
  scaler.received.push(report);
  if (!scaler.acknowledging) return;
  if (!scaler.folded.some((r) => r.boot === report.boot && r.seq === report.seq)) scaler.folded.push(report);
  socket.send(encode({ type: "ack", seq: report.seq }));
}

/** Waits for a folded report that satisfies `check`, and returns it. */
export async function reportWhere(scaler: TestScaler, what: string, check: (report: NodeReport) => boolean): Promise<NodeReport> {
  return until(what, () => scaler.folded.find(check));
}
