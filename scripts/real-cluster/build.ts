import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { HOME } from "../gates/command.ts";
import { chosenRelease } from "./release.ts";

/** Programs of a cluster, and the packages of the release's go.mod they are built from. */
const PROGRAMS = {
  etcd: "go.etcd.io/etcd/server/v3",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
  "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
  node: "./node",
} as const;

export type Program = keyof typeof PROGRAMS;
const SOURCES = join(HOME, "scripts", "real-cluster");

/** A release, and where its programs are. */
export interface Cluster {
  readonly version: string;
  readonly programs: Readonly<Record<Program, string>>;
}

/** Where each program is: in FULCRUM_KUBERNETES, a folder of such programs, or built here, unless it is already for these module files and node. */
export async function buildCluster(say: (line: string) => void): Promise<Cluster> {
  const given = process.env["FULCRUM_KUBERNETES"] ?? "";
  const { version, modules } = chosenRelease(SOURCES, process.env["FULCRUM_KUBERNETES_VERSION"]);
  const node = readdirSync(join(SOURCES, "node")).toSorted();
  const inputs = [join(modules, "go.mod"), join(modules, "go.sum"), ...node.map((file) => join(SOURCES, "node", file))].map((file) =>
    readFileSync(file),
  );
  const digest = createHash("sha256").update(Buffer.concat(inputs)).digest("hex").slice(0, 12);
  const folder = join(HOME, ".run", "real-cluster", `${version}-${digest}`);
  mkdirSync(folder, { recursive: true });
  // The few calls that a release has otherwise are told apart by this tag.
  const tag = `kubernetes_${version.slice(1).split(".").slice(0, 2).join("_")}`;
  const options = ["build", `-modfile=${join(modules, "go.mod")}`, "-tags", tag, "-p", "2", "-trimpath", "-ldflags", linked(version)];
  const place = async (program: Program): Promise<string> => {
    const [had, built] = [join(given, program), join(folder, program)];
    if (given !== "" && existsSync(had)) return had;
    if (existsSync(built)) return built;
    say(`building ${program} of ${version}: minutes when it is the first`);
    await go([...options, "-o", `${built}.part`, PROGRAMS[program]]);
    renameSync(`${built}.part`, built);
    return built;
  };
  const programs = {
    etcd: await place("etcd"),
    "kube-apiserver": await place("kube-apiserver"),
    "kube-controller-manager": await place("kube-controller-manager"),
    "kube-scheduler": await place("kube-scheduler"),
    node: await place("node"),
  };
  return { version, programs };
}

/** Servers tell by these what release they are, and what is on in it. */
function linked(version: string): string {
  const [major, minor] = version.slice(1).split(".");
  const facts = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  return ["-s", "-w", ...Object.entries(facts).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)].join(" ");
}

function go(args: readonly string[]): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" };
  const child = spawn("nice", ["-n", "10", "go", ...args], { cwd: SOURCES, env, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`go ${args.join(" ")}: exit status ${code ?? "none"}`))));
  });
}
