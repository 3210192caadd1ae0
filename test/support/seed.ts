import * as fc from "fast-check";

/**
 * Laws are checked over the same inputs at every run, so that a change is judged by what it changed. Others come with
 * FULCRUM_TEST_SEED=random (every night in CI) or a number; fast-check prints the seed of what failed.
 */
const asked = process.env["FULCRUM_TEST_SEED"] ?? "1";
if (asked !== "random") {
  const seed = Number(asked);
  if (!Number.isSafeInteger(seed)) throw new Error(`FULCRUM_TEST_SEED is a whole number or "random", not ${JSON.stringify(asked)}`);
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
