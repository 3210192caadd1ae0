import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createHttpServer } from "../../../scaler/serve/http.ts";
import { openTls } from "../../../scaler/serve/tls-settings.ts";
import { followKeyPair, readKeyPair } from "../../../scaler/serve/tls.ts";
import { scalerSettingsSchema } from "../../../scaler/config.ts";
import { needs } from "../../support/components.ts";
import { makeKeyPair, openssl, type KeyPairFolder } from "../../support/key-pair.ts";
import { hello } from "../support/agent-client.ts";
import { listLog } from "../support/log.ts";
import { runTestScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const keyPair = (): KeyPairFolder => {
  const pair = makeKeyPair();
  cleanups.push(pair.remove);
  return pair;
};

const answer = (url: string, ca: Buffer): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { ca }, (response) => resolve(response.resume().statusCode)).on("error", reject);
  });

/** The certificate the server shows now. */
async function shown(port: number): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

describe.skipIf(openssl === undefined)(`TLS ${needs("openssl")}`, () => {
  test("with a pair, page, API and the agents' link speak TLS only, to those who trust its certificate", async () => {
    const { cert, key } = keyPair();
    const scaler = await runTestScaler({ settings: { tlsCert: cert, tlsKey: key } });
    cleanups.push(async () => {
      await scaler.stop();
      await scaler.remove();
    });
    const ca = readFileSync(cert);
    const https = scaler.url.replace("http:", "https:");
    expect(await answer(`${https}/readyz`, ca)).toBe(200);
    await expect(answer(`${https}/readyz`, readFileSync(keyPair().cert))).rejects.toThrow(/self.signed/);
    await expect(scaler.get("/readyz")).rejects.toThrow("fetch failed");

    const socket = new WebSocket(`${https.replace("https:", "wss:")}/agents`, { ca });
    cleanups.push(() => socket.close());
    await once(socket, "open");
    socket.send(JSON.stringify(hello()));
    const [welcome] = (await once(socket, "message")) as [Buffer];
    expect(JSON.parse(welcome.toString())).toMatchObject({ type: "welcome" });
  });

  test("a renewed pair is served without a restart; half a renewal is told once and changes nothing", async () => {
    const [first, second] = [keyPair(), keyPair()];
    const pair = await readKeyPair(first);
    if (!pair.ok) throw new Error(pair.error);
    const server = createHttpServer({
      routes: new Map(),
      fallback: async () => undefined,
      upgrades: new Map(),
      log: listLog(),
      tls: pair.value,
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const before = await shown(port);

    const settings = scalerSettingsSchema.parse({ policies: "p", tlsCert: first.cert, tlsKey: first.key });
    const tls = await openTls(settings, listLog(), 0.02);
    cleanups.push(() => tls.close());
    tls.onChange(server);
    const problems: string[] = [];
    cleanups.push(followKeyPair(first, pair.value, { changed: () => undefined, problem: (message) => problems.push(message) }, 0.02));
    copyFileSync(second.cert, first.cert);
    await until("the problem", () => problems[0]);
    expect(await shown(port)).toBe(before);
    copyFileSync(second.key, first.key);
    await until("the new certificate", async () => ((await shown(port)) === before ? undefined : true));
    expect(problems).toHaveLength(1);
    expect(tls.pair()?.cert.equals(readFileSync(second.cert))).toBe(true);
  });

  test("what is no pair is refused with both names", async () => {
    const { cert, key } = keyPair();
    writeFileSync(key, "nothing");
    const read = await readKeyPair({ cert, key });
    expect(!read.ok && read.error).toContain(`${cert}, ${key}: not a certificate and its key: `);
    expect(await readKeyPair({ cert: "/nowhere", key })).toMatchObject({ ok: false });
  });
});
