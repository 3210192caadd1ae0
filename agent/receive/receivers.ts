import type { AgentSettings } from "../config.ts";
import { listenError } from "../errors.ts";
import { drainServer, listen } from "../listen.ts";
import { createOtlpHttpServer } from "./otlp-http.ts";
import type { TraceSink } from "./trace-sink.ts";

export interface Receivers {
  readonly httpPort: number | undefined;
  readonly grpcPort: number | undefined;
  /** What is listened on, as an exporter would write it. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** A request that is being received when the agent stops gets so long to come in whole; cut off, its exporter would send it again. */
const CLOSE_SECONDS = 1;

type ReceiverSettings = Pick<AgentSettings, "host" | "otlpGrpcPort" | "otlpHttpPort">;

/** Opens the OTLP receivers that are not "off"; none stays open when one cannot be opened. */
export async function openReceivers(settings: ReceiverSettings, sink: TraceSink): Promise<Receivers> {
  const { host, otlpGrpcPort, otlpHttpPort } = settings;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.map((c) => c()));
  };
  try {
    let httpPort: number | undefined;
    if (otlpHttpPort !== "off") {
      const server = createOtlpHttpServer(sink);
      httpPort = await listen(server, host, otlpHttpPort, "otlpHttpPort");
      closers.push(() => drainServer(server, CLOSE_SECONDS));
    }
    const grpcPort = otlpGrpcPort === "off" ? undefined : await openGrpc(host, otlpGrpcPort, sink, closers);
    const addresses = [
      ...(httpPort === undefined ? [] : [`http://${host}:${httpPort}/v1/traces`]),
      ...(grpcPort === undefined ? [] : [`grpc://${host}:${grpcPort}`]),
    ];
    return { httpPort, grpcPort, addresses, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** grpc-js costs 10 MB of memory; an agent with the receiver off does not load it. */
async function openGrpc(host: string, port: number, sink: TraceSink, closers: (() => Promise<void>)[]): Promise<number> {
  const { startOtlpGrpc } = await import("./otlp-grpc.ts");
  try {
    const server = await startOtlpGrpc({ host, port }, sink);
    closers.push(() => server.close());
    return server.port;
  } catch (cause) {
    throw listenError(cause, host, port, "otlpGrpcPort");
  }
}
