import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { decodeAgentMessage, encode } from "../../wire/codec.ts";
import { LIMITS, PROTOCOL_VERSION, type AgentMessage, type NodeReport } from "../../wire/messages.ts";
import { refused, type Admission, type Admit } from "./admission.ts";
import { peerCertificate } from "./server-peer.ts";

/** Why a message or a connection was refused; labels fulcrum_reports_rejected_total. */
export const REFUSALS = [
  "unauthorized",
  "auth-unavailable",
  "no-certificate",
  "bad-certificate",
  "too-many-agents",
  "standby",
  "superseded",
  "no-hello",
  "wrong-node",
  "too-large",
  "not-json",
  "bad-version",
  "bad-message",
  "duplicate",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** What the server tells and asks the scaler. */
export interface IntakeHandlers {
  foldedSeq(node: string, boot: string): number;
  connected(node: string): void;
  disconnected(node: string): void;
  /** False when the report was folded before. */
  report(report: NodeReport): boolean;
  refused(code: Refusal, node: string | undefined, why?: string): void;
}

export interface IntakeOptions {
  readonly admit: Admit;
  readonly maxAgents: number;
  /** True while another scaler leads: agents belong to the leader. */
  readonly standby?: () => boolean;
  /** Milliseconds between pings; a peer that misses two is gone. */
  readonly ping?: number;
  /** Milliseconds within which an agent must say hello. */
  readonly helloWithin?: number;
}

export interface IntakeServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  agents(): number;
  /** Sends the agents away: they come back, or find who takes them. */
  dismiss(): void;
  close(): void;
}

interface Session {
  readonly socket: WebSocket;
  /** The only node it may report for; undefined = any. */
  readonly bound: string | undefined;
  node: string | undefined;
  boot: string;
  alive: boolean;
}

/** The agents' end of the link: hello → welcome, report → ack. One session per node; the newest one wins. */
export function createIntakeServer(handlers: IntakeHandlers, options: IntakeOptions): IntakeServer {
  // Deflate would cost more CPU than parsing does; the link is local to the cluster.
  const server = new WebSocketServer({ noServer: true, maxPayload: LIMITS.message, perMessageDeflate: false });
  const sessions = new Set<Session>();
  const byNode = new Map<string, Session>();
  /** Connections whose token is being looked at. */
  let entering = 0;

  function refuse(session: Session, code: Refusal, message: string, closeWith?: number): void {
    handlers.refused(code, session.node);
    if (session.socket.readyState !== session.socket.OPEN) return;
    session.socket.send(encode({ type: "refused", code, message }));
    if (closeWith !== undefined) session.socket.close(closeWith, code);
  }

  function onMessage(session: Session, text: string): void {
    const decoded = decodeAgentMessage(text);
    if (!decoded.ok) {
      const { code, message } = decoded.error;
      // Another version will not become readable; a single bad message may be followed by good ones.
      return refuse(session, code, message, code === "bad-version" ? 1008 : undefined);
    }
    const message = decoded.value;
    if (message.type === "hello") hello(session, message);
    else report(session, message);
  }

  function hello(session: Session, message: Extract<AgentMessage, { type: "hello" }>): void {
    if (session.bound !== undefined && message.node !== session.bound) {
      return refuse(session, "wrong-node", `what was presented is good for node ${session.bound} only`, 1008);
    }
    const older = byNode.get(message.node);
    if (older === undefined && byNode.size >= options.maxAgents) {
      return refuse(session, "too-many-agents", `this scaler takes at most ${options.maxAgents} agents`, 1013);
    }
    if (session.node !== undefined && session.node !== message.node) leave(session);
    session.node = message.node;
    session.boot = message.boot;
    byNode.set(message.node, session);
    if (older !== undefined && older !== session) refuse(older, "superseded", `another agent said hello as node ${message.node}`, 1008);
    handlers.connected(message.node);
    session.socket.send(encode({ type: "welcome", v: PROTOCOL_VERSION, seq: handlers.foldedSeq(message.node, message.boot) }));
  }

  function report(session: Session, message: NodeReport): void {
    if (session.node === undefined) return refuse(session, "no-hello", "say hello before reporting", 1008);
    if (message.node !== session.node || message.boot !== session.boot) {
      return refuse(session, "wrong-node", `this session is node ${session.node}, boot ${session.boot}`, 1008);
    }
    if (byNode.get(session.node) !== session) return;
    // A duplicate is acknowledged too: the agent missed the first acknowledgement.
    if (!handlers.report(message)) handlers.refused("duplicate", session.node);
    session.socket.send(encode({ type: "ack", seq: message.seq }));
  }

  function leave(session: Session): void {
    if (session.node === undefined || byNode.get(session.node) !== session) return;
    byNode.delete(session.node);
    handlers.disconnected(session.node);
  }

  server.on("connection", (socket: WebSocket, _: IncomingMessage, bound: string | undefined) => {
    const session: Session = { socket, bound, node: undefined, boot: "", alive: true };
    sessions.add(session);
    const late = setTimeout(() => {
      if (session.node === undefined) refuse(session, "no-hello", "no hello came", 1008);
    }, options.helloWithin ?? 10_000);
    socket.on("message", (data, isBinary) => {
      session.alive = true;
      if (isBinary) refuse(session, "bad-message", "messages are JSON text, not binary");
      else onMessage(session, textOf(data));
    });
    socket.on("pong", () => (session.alive = true));
    socket.on("error", (error) => {
      if ("code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") handlers.refused("too-large", session.node);
    });
    socket.on("close", () => {
      clearTimeout(late);
      sessions.delete(session);
      leave(session);
    });
  });

  const pings = setInterval(() => {
    for (const session of sessions) {
      if (!session.alive) session.socket.terminate();
      else {
        session.alive = false;
        session.socket.ping();
      }
    }
  }, options.ping ?? 15_000);

  return {
    handleUpgrade(request, socket, head) {
      // Before who it is, because it costs nothing: whoever asks is sent on to the leader.
      if (options.standby?.() === true) return turnAway(socket, "standby", "503 Service Unavailable");
      // Sockets that never say hello count too: four per agent is room enough for reconnects.
      if (sessions.size + entering >= options.maxAgents * 4) return turnAway(socket, "too-many-agents", "503 Service Unavailable");
      const admission = options.admit(request.headers.authorization, peerCertificate(socket));
      if (!(admission instanceof Promise)) return enter(admission, request, socket, head);
      entering++;
      void admission
        .catch((cause: unknown): Admission => refused("auth-unavailable", String(cause)))
        .then((found) => {
          entering--;
          // It may have left while it was looked at.
          if (!socket.destroyed) enter(found, request, socket, head);
        });
    },
    agents: () => byNode.size,
    dismiss() {
      for (const session of sessions) refuse(session, "standby", "this scaler does not lead any more", 1012);
    },
    close() {
      clearInterval(pings);
      for (const session of sessions) session.socket.close(1001, "scaler stops");
      server.close();
      // A peer that does not answer the close must not keep the process.
      setTimeout(() => sessions.forEach((s) => s.socket.terminate()), 500).unref();
    },
  };

  function enter(admission: Admission, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!admission.ok) {
      const status = admission.code === "auth-unavailable" ? "503 Service Unavailable" : "401 Unauthorized";
      return turnAway(socket, admission.code, status, admission.reason);
    }
    server.handleUpgrade(request, socket, head, (ws) => server.emit("connection", ws, request, admission.node));
  }

  function turnAway(socket: Duplex, code: Refusal, status: string, why?: string): void {
    handlers.refused(code, undefined, why);
    // What is wrong with a certificate is no secret to who presented it; the agent and `fulcrum doctor` tell it.
    const body = code.endsWith("-certificate") ? (why ?? "") : "";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
}

function textOf(data: Buffer | ArrayBuffer | Buffer[]): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return Buffer.isBuffer(data) ? data.toString("utf8") : Buffer.from(data).toString("utf8");
}
