import type { z } from "zod";
import { type Result, err, ok } from "../core/result.ts";
import { type AgentMessage, LIMITS, type ScalerMessage, agentMessageSchema, scalerMessageSchema } from "./messages.ts";

/** Why a message was refused; `code` is stable and labels counters. */
export interface WireError {
  readonly code: "too-large" | "not-json" | "bad-version" | "bad-message";
  readonly message: string;
}

const encoder = new TextEncoder();

/** One WebSocket text message. Undefined fields vanish, as JSON has it: absent stays absent. */
export function encode(message: AgentMessage | ScalerMessage): string {
  return JSON.stringify(message);
}

/** Whether the text fits one message. UTF-8 needs at most 3 bytes per UTF-16 unit, so most texts need no encoding to tell. */
export function fits(text: string): boolean {
  if (text.length * 3 <= LIMITS.message) return true;
  return text.length <= LIMITS.message && encoder.encode(text).byteLength <= LIMITS.message;
}

export function decodeAgentMessage(text: string): Result<AgentMessage, WireError> {
  return decode(agentMessageSchema, text);
}

export function decodeScalerMessage(text: string): Result<ScalerMessage, WireError> {
  return decode(scalerMessageSchema, text);
}

function decode<S extends z.ZodType>(schema: S, text: string): Result<z.output<S>, WireError> {
  if (!fits(text)) return err({ code: "too-large", message: `message is larger than ${LIMITS.message} bytes` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return err({
      code: "not-json",
      message: `message is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, 300),
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  const message = `${path === "" ? "message" : path}: ${issue?.message ?? "invalid"}`.slice(0, 300);
  return err({ code: path === "v" ? "bad-version" : "bad-message", message });
}
