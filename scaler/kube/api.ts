import type { Result } from "../../core/result.ts";

/** One call of the Kubernetes API, apart from who one is and how one gets there. */
export interface KubeCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?:
    | "application/json"
    | "application/json-patch+json"
    | "application/merge-patch+json"
    | "application/apply-patch+yaml";
}

/** Why a call did not succeed. `status` is absent when no answer came: then nobody knows whether it was carried out. */
export interface KubeError {
  readonly status?: number;
  readonly message: string;
  /** Seconds the server asks to wait for. */
  readonly retryAfter?: number;
}

/** An API server. Failures are values: an unreachable one is an expected outcome. */
export interface KubeApi {
  call(call: KubeCall, signal: AbortSignal): Promise<Result<unknown, KubeError>>;
  /** One watch: events as they come, until the stream ends. Undefined = the server ended it in good order. */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    onEvent: (event: unknown) => void,
    signal: AbortSignal,
  ): Promise<KubeError | undefined>;
}

/**
 * Seconds a call may take, at the server and here. What a holder of the lease sends is over by then, so leading must last at
 * least as much longer (election.ts).
 */
export const CALL_TIMEOUT = 5;
