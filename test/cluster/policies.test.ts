import { readFileSync } from "node:fs";
import { ApiextensionsV1Api, CustomObjectsApi, KubeConfig } from "@kubernetes/client-node";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Structural } from "../../scripts/crd/structural.ts";
import { until } from "../scaler/support/wait.ts";
import { kubeConfigOf, REAL_CLUSTER } from "../support/cluster/real.ts";
import { violations } from "../support/openapi.ts";
import { BAD_SPECS, GOOD_SPEC, specs } from "../support/policy-specs.ts";

/**
 * What a real API server says of ScalingPolicy objects, which the other tests take from their own reading of the definition
 * (support/openapi.ts, support/cel.ts): the same objects to both. Nothing is kept: every create is a dry run.
 */
const file = new URL("../../deploy/base/crd/scalingpolicies.yaml", import.meta.url);
const definition = parse(readFileSync(file, "utf8")) as { spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] } };
const schema = definition.spec.versions[0].schema.openAPIV3Schema;

const DEFINITIONS = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const where = { group: "fulcrum.dev", version: "v1alpha1", namespace: "default", plural: "scalingpolicies" };
const policy = (spec: unknown) => ({ apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata: { name: "p" }, spec });

describe.skipIf(REAL_CLUSTER === undefined)(
  "a real API server and the tests' own judge policies alike [needs a real cluster: KUBECONFIG=… npm run test:cluster]",
  () => {
    let config = new KubeConfig();
    let made = false;
    beforeAll(async () => {
      config = kubeConfigOf(REAL_CLUSTER ?? "");
      const api = config.makeApiClient(ApiextensionsV1Api);
      const { items } = await api.listCustomResourceDefinition();
      made = !items.some((item) => item.metadata?.name === "scalingpolicies.fulcrum.dev");
      // The client's typed API would leave out what it has another name for: every x-kubernetes- field.
      if (made) await config.makeApiClient(CustomObjectsApi).createClusterCustomObject({ ...DEFINITIONS, body: definition });
      await until("the definition", async () => ((await refusalOf(GOOD_SPEC)) === undefined ? true : undefined), 60_000);
    });
    afterAll(async () => {
      if (made) await config.makeApiClient(ApiextensionsV1Api).deleteCustomResourceDefinition({ name: "scalingpolicies.fulcrum.dev" });
    });

    /** Undefined = it would be made. */
    const refusalOf = async (spec: unknown): Promise<string | undefined> => {
      const api = config.makeApiClient(CustomObjectsApi);
      const body = policy(spec);
      try {
        await api.createNamespacedCustomObject({ ...where, body, dryRun: "All", fieldValidation: "Strict" });
        return undefined;
      } catch (error) {
        return String((error as { body?: unknown }).body ?? error);
      }
    };

    it.each(BAD_SPECS)("%s is refused", async (_, spec) => {
      expect(await refusalOf(spec)).toMatch(/"code":4(00|22)/);
    });

    it("whatever the combination of bounds, budgets, floors, targets and steps", async () => {
      const told = { accepted: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(specs, async (spec) => {
          const own = violations(schema, { ...policy(spec), metadata: {} });
          const refusal = await refusalOf(JSON.parse(JSON.stringify(spec)));
          told[refusal === undefined ? "accepted" : "refused"]++;
          expect(own.length === 0, `own: ${own.join("; ")}\nserver: ${refusal ?? "accepted"}`).toBe(refusal === undefined);
        }),
        { numRuns: 500, examples: [[GOOD_SPEC as never]] },
      );
      expect(Math.min(told.accepted, told.refused)).toBeGreaterThan(0);
    });
  },
);
