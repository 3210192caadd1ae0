import { type NicReport, LIMITS } from "../../wire/messages.ts";
import type { PortReading } from "../nic/port-reading.ts";
import type { NicLook, NicWindow } from "../nic/window.ts";

/** Ports as reported: what each is now, and what it counted in the window that closed in this interval, if one did. */
export function nicReports(look: NicLook | undefined, window: NicWindow | undefined, monotonicNow: number): NicReport[] {
  if (look === undefined) return [];
  return look.ports.slice(0, LIMITS.nicsPerReport).map((reading) => {
    const { device, port, linkLayer, netdevs, up, linkBytesPerSecond } = reading;
    const netdev = netdevs[0];
    return {
      ...{ device, port, age: Math.max(0, monotonicNow - look.at) },
      ...(netdev !== undefined && { netdev }),
      ...(linkLayer !== undefined && { linkLayer }),
      ...(up !== undefined && { up }),
      ...(linkBytesPerSecond !== undefined && { linkBytesPerSecond }),
      counters: { ...countsOf(window, reading) },
    };
  });
}

const countsOf = (window: NicWindow | undefined, { device, port }: PortReading) =>
  window?.ports.find(({ reading }) => reading.device === device && reading.port === port)?.counts ?? {};
