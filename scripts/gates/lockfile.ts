import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Gate, verdict } from "./gate.ts";

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly resolved?: string; readonly integrity?: string; readonly link?: boolean }>>;
}
interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Installs must be the same from any mirror: integrity hashes, no download addresses, exact versions. */
export const lockfile: Gate = {
  name: "lockfile",
  run(root) {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lockfile;
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
    const packages = Object.keys(lock.packages).filter((path) => path !== "");
    return Promise.resolve(verdict(packages.length, "packages", unportable(lock, manifest)));
  },
};

export function unportable(lock: Lockfile, manifest: Manifest): string[] {
  const problems = Object.entries(lock.packages).flatMap(([path, entry]) => {
    if (path === "" || entry.link === true) return [];
    const address = entry.resolved === undefined ? [] : [`${path}: carries a download address; npm install with the repository's .npmrc`];
    return entry.integrity === undefined ? [...address, `${path}: no integrity hash`] : address;
  });
  const wanted = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  const loose = wanted.filter(([, version]) => !/^\d/.test(version)).map(([name, version]) => `${name}@${version}: pin the exact version`);
  return [...problems, ...loose];
}
