import type { NicCounter } from "../../core/nic.ts";
import { type Interfaces, type NetworkBytes, grownInterfaces } from "./network.ts";
import { type PortReading, type PortWindow, portWindow } from "./port-reading.ts";

/** One look at everything that carries bytes into and out of the node. */
export interface NicLook {
  /** Monotonic seconds. */
  readonly at: number;
  readonly ports: readonly PortReading[];
  readonly interfaces: Interfaces;
}

/** What was carried between two looks. */
export interface NicWindow {
  readonly seconds: number;
  readonly ports: readonly PortWindow[];
  readonly interfaces: Interfaces;
}

export function nicWindow(before: NicLook, now: NicLook): NicWindow {
  const key = ({ device, port }: PortReading): string => `${device}/${port}`;
  const last = new Map(before.ports.map((port) => [key(port), port]));
  return {
    seconds: now.at - before.at,
    ports: now.ports.map((port) => portWindow(last.get(key(port)), port)),
    interfaces: grownInterfaces(before.interfaces, now.interfaces),
  };
}

/** Two windows that follow each other, as one. What only one of them knows is dropped: half a sum is not a sum. */
export function joinWindows(first: NicWindow, second: NicWindow): NicWindow {
  const ports = second.ports.flatMap((port) => {
    const { device, port: number } = port.reading;
    const before = first.ports.find((other) => other.reading.device === device && other.reading.port === number);
    return before === undefined ? [] : [joinPorts(before, port)];
  });
  const interfaces = new Map<string, NetworkBytes>();
  for (const [name, { received, transmitted }] of second.interfaces) {
    const before = first.interfaces.get(name);
    if (before === undefined) continue;
    interfaces.set(name, { received: received + before.received, transmitted: transmitted + before.transmitted });
  }
  return { seconds: first.seconds + second.seconds, ports, interfaces };
}

function joinPorts(first: PortWindow, second: PortWindow): PortWindow {
  const counts: Partial<Record<NicCounter, number>> = {};
  for (const [name, count] of Object.entries(second.counts) as [NicCounter, number][]) {
    const before = first.counts[name];
    if (before !== undefined) counts[name] = before + count;
  }
  return { reading: second.reading, counts, resets: first.resets + second.resets };
}
