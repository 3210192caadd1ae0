import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A Kubernetes release that a cluster can be built of. */
export interface Release {
  /** As `v1.36.3`. */
  readonly version: string;
  /** The folder of its go.mod and go.sum. */
  readonly modules: string;
}

/** The release whose module files stand in `sources`, or that of a minor version (`1.34`) whose stand in a folder of that name. Throws on one that is not there. */
export function chosenRelease(sources: string, asked = ""): Release {
  const others = readdirSync(sources).filter((name) => /^\d+\.\d+$/.test(name));
  const releases = [sources, ...others.map((name) => join(sources, name))].map((modules) => ({ version: versionOf(modules), modules }));
  const found = releases.find(({ version }) => asked === "" || minorOf(version) === asked);
  if (found !== undefined) return found;
  const known = releases.map(({ version }) => minorOf(version)).join(", ");
  throw new Error(`FULCRUM_KUBERNETES_VERSION is ${asked}; there are module files of ${known}`);
}

const minorOf = (version: string): string => version.slice(1).split(".").slice(0, 2).join(".");

function versionOf(modules: string): string {
  const path = join(modules, "go.mod");
  const found = /^\s*k8s\.io\/kubernetes (v[\d.]+)/m.exec(readFileSync(path, "utf8"))?.[1];
  if (found === undefined) throw new Error(`${path} requires no k8s.io/kubernetes`);
  return found;
}
