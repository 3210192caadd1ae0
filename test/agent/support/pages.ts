import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";

export interface PageServer {
  readonly url: string;
  /** What the next scrapes get. */
  show(handler: string | ((request: IncomingMessage, response: ServerResponse) => void)): void;
  requests(): number;
  close(): Promise<void>;
}

/** A real HTTP server in the place of an engine or a GPU exporter. */
export async function servePage(first: string): Promise<PageServer> {
  let current: string | ((request: IncomingMessage, response: ServerResponse) => void) = first;
  let requests = 0;
  const server: Server = createServer((request, response) => {
    requests++;
    if (typeof current === "string") response.setHeader("content-type", "text/plain; version=0.0.4").end(current);
    else current(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/metrics`,
    show(handler) {
      current = handler;
    },
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A small vLLM decode page in the engine's own form; enough to watch counters, a histogram and gauges move. */
export function vllmPage(p: {
  readonly tokens: number;
  readonly itl?: readonly [number, number, number];
  readonly running?: number;
}): string {
  const labels = `engine="0",model_name="m"`;
  const [fast, slow, sum] = p.itl ?? [0, 0, 0];
  return `# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{${labels}} ${p.running ?? 0}.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{${labels}} ${p.tokens}.0
# TYPE vllm:inter_token_latency_seconds histogram
vllm:inter_token_latency_seconds_bucket{${labels},le="0.01"} ${fast}.0
vllm:inter_token_latency_seconds_bucket{${labels},le="0.025"} ${fast + slow}.0
vllm:inter_token_latency_seconds_bucket{${labels},le="+Inf"} ${fast + slow}.0
vllm:inter_token_latency_seconds_count{${labels}} ${fast + slow}.0
vllm:inter_token_latency_seconds_sum{${labels}} ${sum}
`;
}

/** One GPU as dcgm-exporter shows it, held by a pod. */
export const gpuPage = (pod: string, tensor: number): string => `# TYPE DCGM_FI_PROF_PIPE_TENSOR_ACTIVE gauge
DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{gpu="0",UUID="GPU-1",device="nvidia0",modelName="NVIDIA H200",Hostname="node-a",container="c",namespace="ns",pod="${pod}"} ${tensor}
`;
