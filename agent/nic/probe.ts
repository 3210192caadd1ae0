import { createPorts } from "./ports.ts";
import type { PortReading } from "./port-reading.ts";

export interface NicProbe {
  readonly ports: readonly PortReading[];
  readonly leftOut: number;
}

/** One look at the node's RDMA ports, as the agent takes it. */
export async function probeNics(sysRoot: string): Promise<NicProbe> {
  const ports = createPorts(sysRoot);
  try {
    return { ports: await ports.read(), leftOut: ports.leftOut() };
  } finally {
    await ports.close();
  }
}
