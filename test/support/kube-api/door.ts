import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";

/** A way to an API server on loopback for kubectl, which shows no token without TLS: this adds it. */
export interface OpenDoor {
  readonly url: string;
  close(): Promise<void>;
}

export async function openDoor(url: string, token = "secret"): Promise<OpenDoor> {
  const server = createServer((request, response) => {
    const { method, headers } = request;
    const onward = httpRequest(
      url + (request.url ?? ""),
      { method, headers: { ...headers, authorization: `Bearer ${token}` } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
