import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  status,
  type ServerErrorResponse,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { err, ok, type Result } from "../../../core/result.ts";
import type { KeyPair } from "../tls.ts";
import { metricName, replicasFor, subjectOf, type Known, type Refused, type Subject } from "./answer.ts";
import { activeResponse, decodeMetricsRequest, decodeRef, metricSpecResponse, metricsResponse } from "./messages.ts";

export interface KedaServer {
  readonly port: number;
  /** Tells open streams of what was just decided. */
  decided(): void;
  /** Another scaler leads from now on: whoever is connected is to come to that one. */
  dismiss(): void;
  close(): Promise<void>;
}

export interface KedaOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: KeyPair | undefined;
  readonly known: (policy: string) => Known | undefined;
  /** True while another scaler leads. */
  readonly standby: () => boolean;
  readonly clock: () => number;
  readonly answered: (method: string, code: string) => void;
}

/** A request is a name and a few words of metadata. */
const MAX_REQUEST_BYTES = 64 * 1024;
/** One per ScaledObject with an external-push trigger. */
const MAX_STREAMS = 500;
const CLOSE_SECONDS = 1;
const STANDBY: Refused = { code: "UNAVAILABLE", message: "standing by: another scaler leads and knows the counts; connect again" };

type Call = { readonly request: Buffer };
type Respond = (error: Partial<ServerErrorResponse> | null, response?: Buffer) => void;
interface ActiveStream extends Call {
  write(response: Buffer): boolean;
  emit(event: "error", error: Partial<ServerErrorResponse>): boolean;
  on(event: "close" | "cancelled" | "error", listener: () => void): void;
}

/** Raw messages: our own codec reads them (messages.ts). */
const bytes = (value: Buffer): Buffer => value;
const method = (name: string, responseStream: boolean): ServiceDefinition[string] => ({
  path: `/externalscaler.ExternalScaler/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

// StreamMetricSpec is left out: our target is 1 for ever, and KEDA takes "unimplemented" for that.
const SERVICE: ServiceDefinition = {
  IsActive: method("IsActive", false),
  StreamIsActive: method("StreamIsActive", true),
  GetMetricSpec: method("GetMetricSpec", false),
  GetMetrics: method("GetMetrics", false),
};

/**
 * KEDA's external scaler: the wanted replica count as a metric with target 1 per replica, which KEDA's HPA takes over as it is.
 * Rejects when the port cannot be had.
 */
export async function startKedaServer(options: KedaOptions): Promise<KedaServer> {
  // It writes plain text to stderr, where our JSON lines go; what matters comes back as an error.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.max_concurrent_streams": MAX_STREAMS,
    // Without this, two scalers on one port would share its connections in silence.
    "grpc.so_reuseport": 0,
  });
  const waiting = new Map<ActiveStream, Subject>();
  const turnAway = (): void => {
    waiting.forEach((_, call) => {
      options.answered("StreamIsActive", STANDBY.code);
      call.emit("error", toStatus(STANDBY));
    });
    waiting.clear();
    // KEDA keeps one connection for long, and a Service chooses a pod per connection: kept, it would hear of the standby for ever.
    server.drain(`${bindAddress(options.host)}:${port}`, CLOSE_SECONDS * 1000);
  };
  const turnAwayIfStandby = (): void => {
    // After the answer, which a closing connection still carries.
    if (options.standby()) setImmediate(turnAway);
  };
  const unary = (name: string, handle: (request: Buffer) => Result<Buffer, Refused>) => answering(name, options, handle, turnAwayIfStandby);
  server.addService(SERVICE, {
    IsActive: unary("IsActive", (request) => onRef(request, (subject) => answer(options, subject, activeResponse))),
    GetMetricSpec: unary("GetMetricSpec", (request) => onRef(request, ({ role }) => ok(metricSpecResponse(metricName(role), 1)))),
    GetMetrics: unary("GetMetrics", (request) => getMetrics(options, request)),
    StreamIsActive: (call: ActiveStream) => {
      open(call, options, waiting);
      turnAwayIfStandby();
    },
  });
  const port = await bind(server, options);
  return {
    port,
    decided: () => waiting.forEach((subject, call) => tellActive(call, subject, options, waiting)),
    dismiss: turnAway,
    close: () => close(server),
  };
}

function answering(
  name: string,
  { answered }: KedaOptions,
  handle: (request: Buffer) => Result<Buffer, Refused>,
  after: () => void,
): (call: Call, respond: Respond) => void {
  return (call, respond) => {
    const result = handle(call.request);
    answered(name, result.ok ? "OK" : result.error.code);
    if (result.ok) respond(null, result.value);
    else respond(toStatus(result.error));
    after();
  };
}

const toStatus = ({ code, message }: Refused): Partial<ServerErrorResponse> => ({ code: status[code], details: message });
const malformed = (what: string): Refused => ({ code: "INVALID_ARGUMENT", message: `the request cannot be read: ${what}` });

function onRef(request: Buffer, handle: (subject: Subject) => Result<Buffer, Refused>): Result<Buffer, Refused> {
  const ref = decodeRef(request);
  if (!ref.ok) return err(malformed(ref.error));
  const subject = subjectOf(ref.value);
  return subject.ok ? handle(subject.value) : subject;
}

function answer({ known, clock, standby }: KedaOptions, subject: Subject, encode: (replicas: number) => Buffer): Result<Buffer, Refused> {
  // What it decided while it led is not what is wanted now.
  if (standby()) return err(STANDBY);
  const replicas = replicasFor(subject, known(subject.policy), clock());
  return replicas.ok ? ok(encode(replicas.value)) : replicas;
}

function getMetrics(options: KedaOptions, message: Buffer): Result<Buffer, Refused> {
  const request = decodeMetricsRequest(message);
  if (!request.ok) return err(malformed(request.error));
  const subject = subjectOf(request.value.ref);
  if (!subject.ok) return subject;
  const name = metricName(subject.value.role);
  if (request.value.metricName !== name) {
    const asked = request.value.metricName.slice(0, 100);
    return err({ code: "INVALID_ARGUMENT", message: `there is no metric "${asked}" for role ${subject.value.role}, only ${name}` });
  }
  return answer(options, subject.value, (replicas) => metricsResponse(name, replicas));
}

/**
 * The push stream says "active" once that is known. It never says "not active": a policy's minimum is 1, so there is no such
 * answer, and while we are blind silence keeps what KEDA knows.
 */
function open(call: ActiveStream, options: KedaOptions, waiting: Map<ActiveStream, Subject>): void {
  const forget = (): void => void waiting.delete(call);
  call.on("cancelled", forget);
  call.on("close", forget);
  call.on("error", forget);
  const ref = decodeRef(call.request);
  const subject = ref.ok ? subjectOf(ref.value) : err(malformed(ref.error));
  const refuse = (refused: Refused): void => {
    options.answered("StreamIsActive", refused.code);
    call.emit("error", toStatus(refused));
  };
  if (!subject.ok) return refuse(subject.error);
  if (options.standby()) return refuse(STANDBY);
  if (waiting.size >= MAX_STREAMS) return refuse({ code: "UNAVAILABLE", message: `${MAX_STREAMS} streams wait already` });
  waiting.set(call, subject.value);
  tellActive(call, subject.value, options, waiting);
}

function tellActive(call: ActiveStream, subject: Subject, options: KedaOptions, waiting: Map<ActiveStream, Subject>): void {
  if (!replicasFor(subject, options.known(subject.policy), options.clock()).ok) return;
  waiting.delete(call);
  options.answered("StreamIsActive", "OK");
  call.write(activeResponse());
}

const bindAddress = (host: string): string => (host.includes(":") ? `[${host}]` : host);

function bind(server: Server, { host, port, tls }: KedaOptions): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.cert }]);
  return new Promise((resolve, reject) => {
    server.bindAsync(`${bindAddress(host)}:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, CLOSE_SECONDS * 1000);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
