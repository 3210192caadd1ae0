import { expect, it } from "vitest";
import { createRefusalLog } from "../../../scaler/intake/refusal-log.ts";
import { listLog } from "../support/log.ts";

it("tells ten refusals of a kind in a minute, and how many it left out with the next that it tells", () => {
  const log = listLog();
  let now = 0;
  const tell = createRefusalLog(log, () => now);
  for (let i = 0; i < 25; i++) tell("bad-certificate", undefined, "it has expired");
  tell("unauthorized");
  expect(log.lines).toHaveLength(11);
  now = 60;
  tell("bad-certificate", undefined, "it has expired");
  tell("bad-certificate", undefined, "it has expired");
  expect(log.lines.slice(11).map(({ fields }) => fields)).toEqual([
    { code: "bad-certificate", why: "it has expired", leftOut: 15 },
    { code: "bad-certificate", why: "it has expired" },
  ]);
});
