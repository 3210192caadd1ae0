/**
 * CPU of one look at eight RDMA ports and the network interfaces, on a tree of files. A real sysfs adds what the driver does per file; what is
 * measured here is the agent's own part. `npx tsx test/bench/nic.ts`
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PORT_FILES } from "../../agent/nic/port-files.ts";
import { createPorts } from "../../agent/nic/ports.ts";
import { readInterfaces } from "../../agent/nic/read-interfaces.ts";
import { nicWindow, type NicLook } from "../../agent/nic/window.ts";

const PORTS = 8;
const LOOKS = 300;
/** What mlx5 has of what is read. */
const MLX5 = /^counters\/|^hw_counters\/(out_of_|packet_seq|local_ack|rnr_nak_retry|roce_adp|np_|rp_)/;

const root = mkdtempSync(join(tmpdir(), "fulcrum-nic-"));
const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const files = PORT_FILES.filter((file) => MLX5.test(file));
for (let i = 0; i < PORTS; i++) {
  const folder = `class/infiniband/mlx5_${i}/ports/1`;
  write(`${folder}/state`, "4: ACTIVE\n");
  write(`${folder}/rate`, "400 Gb/sec (4X NDR)\n");
  for (const file of files) write(`${folder}/${file}`, "12345678901234\n");
}

const ports = createPorts(root);
const look = async (): Promise<NicLook> => ({ at: 0, ports: await ports.read(), interfaces: await readInterfaces("/proc") });
let last = await look();
for (let i = 0; i < LOOKS; i++) last = await look();
const before = process.cpuUsage();
for (let i = 0; i < LOOKS; i++) {
  const next = await look();
  nicWindow(last, next);
  last = next;
}
const { user, system } = process.cpuUsage(before);
const millis = (user + system) / 1000 / LOOKS;
console.log(
  `${PORTS} ports, ${files.length + 2} files each: ${millis.toFixed(2)} ms of CPU a look, ${(millis / 50).toFixed(3)} % of a core at one look in 5 s`,
);
await ports.close();
rmSync(root, { recursive: true });
