import type { AgentSettings } from "../../agent/config.ts";
import { type NicProbe, probeNics } from "../../agent/nic/probe.ts";
import { parsePage } from "../../core/exposition/parse.ts";
import { KV_PATH_PROBLEMS, type KvPathProblem } from "../../core/kv-path.ts";
import { type Finding, good, warning } from "./finding.ts";
import { get } from "./web.ts";

const WHAT = "RDMA";

/** The ports that KV can take, whether their counters tell what they carry, and what a running agent says of the path. */
export async function kvPath(settings: AgentSettings): Promise<readonly Finding[]> {
  return [...portFindings(await probeNics(settings.sysPath), settings.sysPath), ...(await agentFindings(settings))];
}

function portFindings({ ports, leftOut }: NicProbe, sysPath: string): readonly Finding[] {
  if (ports.length === 0) return [good(WHAT, `no port below ${sysPath}/class/infiniband`)];
  const findings = ports.map(({ device, port, up, linkLayer, linkBytesPerSecond, netdevs, files }) => {
    const what = `${WHAT} port ${device}/${port}`;
    const rate = linkBytesPerSecond === undefined ? "rate unknown" : `${(linkBytesPerSecond * 8) / 1e9} Gb/s`;
    const how = [linkLayer ?? "link layer unknown", rate, netdevs[0]].filter((part) => part !== undefined).join(", ");
    if (up === false)
      return warning(what, `${how}, down`, "fine for a port without a cable, else see the link's other end", "rdma-port-down");
    if ([...files.keys()].some((file) => /data$|_bytes$|Octets$/.test(file))) return good(what, `${how}, ${files.size} counters`);
    const mend = "see that the driver has counters and /sys is the host's (--sys-path)";
    return warning(what, `${how}, no counter of bytes can be read`, mend, "rdma-counters-missing");
  });
  if (leftOut === 0) return findings;
  return [...findings, warning(WHAT, `${leftOut} more ports are not read`, "the limit is 32; tell us of this node", "rdma-ports-left-out")];
}

const MENDS: Readonly<Record<KvPathProblem, string>> = {
  "kv-transfer-fell-back-to-tcp": "see docs/runbooks/FulcrumKvPathDegraded.md: the transfer library's log names the transport it chose",
  "kv-path-congested": "see docs/runbooks/FulcrumKvPathDegraded.md: the counters of the port say where",
};

/** Half a minute of evidence is more than the doctor has: it asks the agent that runs here, where one does. */
async function agentFindings({ host, port }: AgentSettings): Promise<readonly Finding[]> {
  if (port === 0) return [];
  const address = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const answer = await get(`http://${address.includes(":") ? `[${address}]` : address}:${port}/metrics`);
  if ("problem" in answer) return [];
  const told = parsePage(answer.text).samples.filter((sample) => sample.name === "fulcrum_kv_path_problem");
  return KV_PATH_PROBLEMS.flatMap((problem) => {
    const value = told.find((sample) => sample.labels.get("problem") === problem)?.value;
    if (value === undefined) return [];
    if (value === 0) return [{ ...good("KV path", `the agent sees no ${problem}`), code: problem }];
    return [warning("KV path", `the agent raises ${problem}`, MENDS[problem], problem)];
  });
}
