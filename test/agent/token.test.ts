import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { createLink } from "../../agent/link.ts";
import { createLog } from "../../agent/log.ts";
import { createTokenSource } from "../../agent/token.ts";

const log = createLog("token", "silent");
const directory = mkdtempSync(join(tmpdir(), "fulcrum-token-"));
const file = join(directory, "token");
afterEach(() => rmSync(file, { force: true }));

it("gives the setting, or what the file holds now", () => {
  expect(createTokenSource({}, log)()).toBeUndefined();
  expect(createTokenSource({ token: "fixed" }, log)()).toBe("fixed");
  writeFileSync(file, "from-file\n");
  const source = createTokenSource({ token: "fixed", tokenFile: file }, log);
  expect(source()).toBe("from-file");
  writeFileSync(file, "renewed");
  expect(source()).toBe("renewed");
});

it("falls back to the setting when the file is missing, empty or not one token", () => {
  const source = createTokenSource({ token: "fixed", tokenFile: file }, log);
  expect(source()).toBe("fixed");
  for (const text of ["", "\n", "two words", "one\ntwo"]) {
    writeFileSync(file, text);
    expect(source()).toBe("fixed");
  }
});

it("presents a renewed token at the next connection", async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer();
  server.on("upgrade", (request: IncomingMessage, socket) => {
    // The agent may drop its end first.
    socket.on("error", () => socket.destroy());
    seen.push(request.headers.authorization);
    writeFileSync(file, "second");
    socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(file, "first");
  const stop = new AbortController();
  const link = createLink({
    ...{ url: `ws://127.0.0.1:${port}/agents`, node: "n", boot: "b", version: "0", outboxSize: 1, log, random: () => 0 },
    token: createTokenSource({ tokenFile: file }, log),
    onAcknowledged: () => undefined,
    onDropped: () => undefined,
  });
  const running = link.run(stop.signal);
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  stop.abort();
  await running;
  await new Promise((resolve) => server.close(resolve));
  expect(seen.slice(0, 2)).toEqual(["Bearer first", "Bearer second"]);
});
