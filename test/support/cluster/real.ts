import { delimiter } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

/**
 * The real cluster that the tests are to run on, as kubectl names it: a kubeconfig, or several that are merged. `npm run test:cluster`
 * takes KUBECONFIG for it; `npm test` does not, so that nobody's current cluster is worked on by accident. Undefined = none.
 */
export const REAL_CLUSTER: string | undefined = process.env["FULCRUM_TEST_KUBECONFIG"] || undefined;

/** The first file's current context counts. */
export function kubeConfigOf(list: string): KubeConfig {
  const [first = "", ...others] = list.split(delimiter).filter((file) => file !== "");
  const config = new KubeConfig();
  config.loadFromFile(first);
  for (const file of others) {
    const other = new KubeConfig();
    other.loadFromFile(file);
    config.mergeConfig(other, true);
  }
  return config;
}
