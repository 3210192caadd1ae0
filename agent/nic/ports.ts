import { join } from "node:path";
import { names, openPort, type OpenPort } from "./open-port.ts";
import type { PortReading } from "./port-reading.ts";

/** The largest cloud node has 32 adapters of one port each. */
export const MAX_PORTS = 32;
/** Looks between two searches for adapters that came or went; one that stops answering is looked for at once. */
const SEARCH_EVERY = 12;

/** All RDMA ports of a node. */
export interface Ports {
  read(): Promise<readonly PortReading[]>;
  /** Ports over the limit, which are not read. */
  leftOut(): number;
  close(): Promise<void>;
}

/** `sysRoot` is the host's /sys. */
export function createPorts(sysRoot: string): Ports {
  const root = join(sysRoot, "class", "infiniband");
  let open: readonly OpenPort[] = [];
  let leftOut = 0;
  let looks = 0;

  const search = async (): Promise<void> => {
    const found = await list(root);
    leftOut = Math.max(0, found.length - MAX_PORTS);
    const wanted = found.slice(0, MAX_PORTS);
    const same = (a: { device: string; port: number }, b: { device: string; port: number }): boolean =>
      a.device === b.device && a.port === b.port;
    if (wanted.length === open.length && wanted.every((want, i) => open[i] !== undefined && same(want, open[i]))) return;
    const kept = open.filter((port) => wanted.some((want) => same(want, port)));
    const gone = open.filter((port) => !kept.includes(port));
    open = await Promise.all(
      wanted.map(async (want) => kept.find((port) => same(want, port)) ?? (await openPort(root, want.device, want.port))),
    );
    await Promise.all(gone.map((port) => port.close()));
  };

  return {
    async read() {
      if (looks++ % SEARCH_EVERY === 0) await search();
      const readings: PortReading[] = [];
      for (const port of open) {
        const reading = await port.read();
        if (reading !== undefined) readings.push(reading);
        else {
          await port.close();
          open = open.filter((other) => other !== port);
          looks = 0;
        }
      }
      return readings;
    },
    leftOut: () => leftOut,
    close: async () => void (await Promise.all(open.map((port) => port.close()))),
  };
}

async function list(root: string): Promise<readonly { readonly device: string; readonly port: number }[]> {
  const devices = await names(root);
  const ports = await Promise.all(
    devices.map(async (device) => (await names(join(root, device, "ports"))).filter((port) => /^\d{1,3}$/.test(port)).map(Number)),
  );
  return devices.flatMap((device, i) => (ports[i] ?? []).map((port) => ({ device, port })));
}
