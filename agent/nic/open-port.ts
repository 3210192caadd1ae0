import { type FileHandle, open, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PORT_FILES } from "./port-files.ts";
import { counterValue, isActive, linkRate, type PortReading } from "./port-reading.ts";

/** One port with its files held open: sysfs makes a file's text anew at each read from its beginning. */
export interface OpenPort {
  readonly device: string;
  readonly port: number;
  /** Undefined when the port is gone. */
  read(): Promise<PortReading | undefined>;
  close(): Promise<void>;
}

export async function openPort(root: string, device: string, port: number): Promise<OpenPort> {
  const folder = join(root, device, "ports", String(port));
  const linkLayer = await text(join(folder, "link_layer"));
  const netdevs = await netdevsOf(join(root, device), folder);
  const present = new Set(await filesOf(folder));
  const files = new Map<string, FileHandle>();
  for (const file of ["state", "rate", ...PORT_FILES.filter((name) => present.has(name))]) {
    const handle = await open(join(folder, file), "r").catch(() => undefined);
    if (handle !== undefined) files.set(file, handle);
  }
  const buffer = Buffer.alloc(64);

  return {
    device,
    port,
    async read() {
      const values = new Map<string, number>();
      const facts: { up?: boolean; linkBytesPerSecond?: number } = {};
      let answered = false;
      // One after the other: many at once would take every thread that file access has.
      for (const [file, handle] of files) {
        const content = await handle.read(buffer, 0, buffer.length, 0).then(
          ({ bytesRead }) => buffer.toString("latin1", 0, bytesRead),
          () => undefined,
        );
        if (content === undefined) continue;
        answered = true;
        const up = file === "state" ? isActive(content) : undefined;
        const rate = file === "rate" ? linkRate(content) : undefined;
        const value = counterValue(content);
        if (up !== undefined) facts.up = up;
        else if (rate !== undefined) facts.linkBytesPerSecond = rate;
        else if (value !== undefined) values.set(file, value);
      }
      if (!answered) return undefined;
      return { device, port, ...(linkLayer !== undefined && { linkLayer }), netdevs, ...facts, files: values };
    },
    async close() {
      await Promise.all([...files.values()].map((handle) => handle.close().catch(() => undefined)));
    },
  };
}

/** Counter files below the port, as `folder/name`. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const lists = await Promise.all(
    ["counters", "hw_counters"].map(async (sub) => (await names(join(folder, sub))).map((name) => `${sub}/${name}`)),
  );
  return lists.flat();
}

/** Network interfaces of the port: what the port's address table names, else those of the adapter. */
async function netdevsOf(device: string, folder: string): Promise<readonly string[]> {
  const named = await text(join(folder, "gid_attrs", "ndevs", "0"));
  return named === undefined || named === "" ? (await names(join(device, "device", "net"))).slice(0, 8) : [named];
}

const text = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").then(
    (content) => content.trim().slice(0, 64),
    () => undefined,
  );

export const names = (path: string): Promise<readonly string[]> =>
  readdir(path).then(
    (found) => found.toSorted(),
    () => [],
  );
