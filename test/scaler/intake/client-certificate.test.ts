import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, get, type RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect, type ConnectionOptions } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { createCertificateSource } from "../../../agent/client-certificate.ts";
import { createLog } from "../../../agent/log.ts";
import type { ScalerSettings } from "../../../scaler/config.ts";
import { peerCertificate } from "../../../scaler/intake/server-peer.ts";
import { certified } from "../../../scaler/intake/client-certificate.ts";
import { openTls } from "../../../scaler/serve/tls-settings.ts";
import { needs } from "../../support/components.ts";
import { makeClientCa, type ClientCa } from "../../support/client-certificates.ts";
import { makeKeyPair, openssl, type KeyPairFolder } from "../../support/key-pair.ts";
import { hello } from "../support/agent-client.ts";
import { listLog } from "../support/log.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const kept = <T extends { remove(): void }>(made: T): T => {
  cleanups.push(() => made.remove());
  return made;
};

interface Setting {
  readonly scaler: RunningScaler;
  readonly ca: ClientCa;
  readonly server: KeyPairFolder;
  readonly port: number;
}

async function start(settings: Partial<ScalerSettings> = {}): Promise<Setting> {
  const [server, ca] = [kept(makeKeyPair()), kept(makeClientCa())];
  const scaler = await runTestScaler({ settings: { tlsCert: server.cert, tlsKey: server.key, clientCa: ca.cert, ...settings } });
  cleanups.push(async () => {
    await scaler.stop();
    await scaler.remove();
  });
  return { scaler, ca, server, port: Number(new URL(scaler.url).port) };
}

const tlsTo = ({ server, port }: Setting, more: ConnectionOptions): ConnectionOptions => ({
  ...{ host: "127.0.0.1", port, ca: readFileSync(server.cert) },
  ...more,
});

interface Presented {
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

/** What an agent gets that presents this and says hello as the node: the first message's type and code, or the status and what it says. */
async function attempt(setting: Setting, node: string, { cert, key, token }: Presented = {}): Promise<string> {
  const socket = connect(
    tlsTo(setting, cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
  );
  cleanups.push(() => void socket.destroy());
  await once(socket, "secureConnect");
  return upgrade(socket, node, token);
}

async function upgrade(socket: ReturnType<typeof connect>, node: string, token?: string): Promise<string> {
  const auth = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n`;
  socket.write(`GET /agents HTTP/1.1\r\nHost: scaler\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}${auth}\r\n`);
  let heard = "";
  const ended = once(socket, "close");
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  const status = await until("the answer", () => /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n/.exec(heard) ?? undefined);
  if (status[1] !== "101") {
    await ended;
    return `${status[1]} ${heard.slice(heard.indexOf("\r\n\r\n") + 4)}`.trim();
  }
  // One masked text frame; a mask of zeros leaves the text as it is.
  const text = Buffer.from(JSON.stringify(hello(node)));
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  return until("a message", () => /"code":"([^"]+)"/.exec(heard)?.[1] ?? /"type":"(welcome)"/.exec(heard)?.[1]);
}

type Place = Pick<Setting, "port" | "server">;
const page = ({ port, server }: Place, path: string, more: RequestOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    // A connection of its own each time: another certificate is seen at a handshake only.
    get({ ...{ host: "127.0.0.1", port, path, agent: false }, ca: readFileSync(server.cert), ...more }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });

const rejected = async (place: Place, reason: string): Promise<number> => {
  const text = await page(place, "/metrics");
  return Number(new RegExp(`fulcrum_reports_rejected_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};

const admissionOf = (socket: Duplex): string => {
  const admission = certified(peerCertificate(socket));
  return admission.ok ? (admission.node ?? "any node") : admission.code;
};

describe.skipIf(openssl === undefined)(`clientCa ${needs("openssl")}`, () => {
  it("takes an agent for the node in its certificate only, the shared certificate for any, and no other", async () => {
    const setting = await start();
    const { ca } = setting;
    const own = ca.issue("system:node:node-a");
    expect(await attempt(setting, "node-a", own)).toBe("welcome");
    expect(await attempt(setting, "node-b", own)).toBe("wrong-node");
    expect(await attempt(setting, "node-b", ca.issue("fulcrum-agent"))).toBe("welcome");

    expect(await attempt(setting, "node-a")).toMatch(/^401 no client certificate was presented/);
    const refusals = [
      [ca.issue("somebody"), /common name must be/],
      [ca.issue("system:node:"), /common name must be/],
      [ca.issue("fulcrum-agent/CN=system:node:node-a"), /common name must be/],
      [ca.issue("fulcrum-agent", { usage: "serverAuth" }), /usage `client auth`/],
      [ca.issue("fulcrum-agent", { days: -1 }), /expired/],
      [kept(makeClientCa()).issue("fulcrum-agent"), /clientCa does not hold its CA/],
      [kept(makeKeyPair()), /self-signed/],
    ] as const;
    for (const [pair, why] of refusals) expect(await attempt(setting, "node-a", pair)).toMatch(new RegExp(`^401 .*${why.source}`));
    expect(await rejected(setting, "bad-certificate")).toBe(refusals.length);
    expect(await rejected(setting, "no-certificate")).toBe(1);
    expect(await rejected(setting, "wrong-node")).toBe(1);
    expect(setting.scaler.log.lines.filter(({ message }) => message === "intake: a message was refused").length).toBe(refusals.length + 2);
  });

  it("beside tokens: either proves it, and who has neither is told what is wrong", async () => {
    const setting = await start({ token: "secret" });
    const { ca } = setting;
    const own = ca.issue("system:node:node-a");
    expect(await attempt(setting, "node-a", own)).toBe("welcome");
    expect(await attempt(setting, "node-b", { ...own, token: "secret" })).toBe("wrong-node");
    expect(await attempt(setting, "node-c", { token: "secret" })).toBe("welcome");
    expect(await attempt(setting, "node-d", { ...ca.issue("fulcrum-agent", { days: -1 }), token: "secret" })).toBe("welcome");
    expect(await attempt(setting, "node-a", { ...own, token: "other" })).toBe("welcome");
    expect(await attempt(setting, "node-a", { ...ca.issue("fulcrum-agent", { days: -1 }), token: "other" })).toMatch(/^401 it has expired/);
    expect(await attempt(setting, "node-a", { token: "other" })).toBe("401");
    expect(await attempt(setting, "node-a")).toBe("401");
  });

  it("asks for none where only tokens are set", async () => {
    const setting = await start({ token: "secret", clientCa: undefined });
    expect(await attempt(setting, "node-a", { token: "secret" })).toBe("welcome");
    expect(await attempt(setting, "node-a", setting.ca.issue("system:node:node-a"))).toBe("401");
  });

  it("leaves page and API to people without a certificate", async () => {
    const { port, server } = await start();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/api/state", ca: readFileSync(server.cert) };
      get(options, (response) => resolve(response.resume().statusCode)).on("error", reject);
    });
    expect(status).toBe(200);
  });

  it("takes no resumed TLS session, whose certificate was looked at before", async () => {
    const setting = await start();
    const { cert, key } = setting.ca.issue("fulcrum-agent");
    const pair = { cert: readFileSync(cert), key: readFileSync(key), maxVersion: "TLSv1.2" } as const;
    const first = connect(tlsTo(setting, pair));
    cleanups.push(() => void first.destroy());
    await once(first, "secureConnect");
    const session = first.getSession();
    if (session === undefined) throw new Error("no session");
    const second = connect(tlsTo(setting, { ...pair, session }));
    cleanups.push(() => void second.destroy());
    await once(second, "secureConnect");
    expect(second.isSessionReused()).toBe(true);
    expect(await upgrade(second, "node-a")).toMatch(/^401 the TLS session was resumed/);
  });

  it("the agent presents a renewed certificate at its next connection, and the last good one while a renewal is half written", async () => {
    const ca = kept(makeClientCa());
    const [old, renewed] = [ca.issue("system:node:node-a"), ca.issue("system:node:node-b")];
    const source = createCertificateSource({ clientCert: old.cert, clientKey: old.key }, createLog("certificate", "silent"));
    const first = source();
    copyFileSync(renewed.cert, old.cert);
    expect(source()).toBe(first);
    copyFileSync(renewed.key, old.key);
    expect(source()?.cert.equals(readFileSync(renewed.cert))).toBe(true);
    expect(createCertificateSource({}, createLog("certificate", "silent"))()).toBeUndefined();
  });

  it("follows the CAs and keeps them when the server's own certificate is renewed", async () => {
    const [server, next, one, two] = [kept(makeKeyPair()), kept(makeKeyPair()), kept(makeClientCa()), kept(makeClientCa())];
    const settings = { tlsCert: server.cert, tlsKey: server.key, clientCa: one.cert } as ScalerSettings;
    const log = listLog();
    const tls = await openTls(settings, log, 0.02);
    cleanups.push(() => tls.close());
    const both = readFileSync(one.cert, "utf8") + readFileSync(two.cert, "utf8");
    writeFileSync(one.cert, "half");
    await until("the problem", () => log.lines.find(({ message }) => message.startsWith("tls: clientCa cannot be used")));
    expect(tls.serving()).toMatchObject({ requestCert: true, rejectUnauthorized: false });
    writeFileSync(one.cert, both);
    const trusted = (): string => {
      const serving = tls.serving();
      return serving !== undefined && "ca" in serving ? serving.ca : "";
    };
    await until("both CAs", () => (trusted().match(/BEGIN/g)?.length === 2 ? true : undefined));
    copyFileSync(next.cert, server.cert);
    copyFileSync(next.key, server.key);
    await until("the renewal", () => (tls.pair()?.cert.equals(readFileSync(next.cert)) === true ? true : undefined));
    expect(trusted().match(/BEGIN/g)).toHaveLength(2);
  });

  it("a server that runs takes certificates of a CA that is added, and no longer those of one that is taken out", async () => {
    const [server, one, two] = [kept(makeKeyPair()), kept(makeClientCa()), kept(makeClientCa())];
    const tls = await openTls({ tlsCert: server.cert, tlsKey: server.key, clientCa: one.cert } as ScalerSettings, listLog(), 0.02);
    cleanups.push(() => tls.close());
    const https = createServer({ ...tls.serving() }, (request, response) => response.end(admissionOf(request.socket)));
    tls.onChange(https);
    https.listen(0, "127.0.0.1");
    await once(https, "listening");
    cleanups.push(() => void https.close());
    const { port } = https.address() as AddressInfo;
    const ask = async ({ cert, key }: { readonly cert: string; readonly key: string }): Promise<string> =>
      page({ port, server }, "/", { cert: readFileSync(cert), key: readFileSync(key) });
    const [old, added] = [one.issue("fulcrum-agent"), two.issue("fulcrum-agent")];
    expect([await ask(old), await ask(added)]).toEqual(["any node", "bad-certificate"]);
    copyFileSync(two.cert, one.cert);
    await until("the other CA", async () => ((await ask(added)) === "any node" ? true : undefined));
    expect(await ask(old)).toBe("bad-certificate");
  });

  it("refuses to start with what is no CA, or without TLS", async () => {
    const [server, ca] = [kept(makeKeyPair()), kept(makeClientCa())];
    const tls = { tlsCert: server.cert, tlsKey: server.key };
    const empty = join(ca.cert, "..", "empty");
    writeFileSync(empty, "");
    for (const settings of [{ clientCa: ca.cert }, { ...tls, clientCa: empty }, { ...tls, clientCa: ca.issue("fulcrum-agent").cert }])
      await expect(runTestScaler({ settings })).rejects.toMatchObject({ code: "bad-settings" });
  });
});
