import type { EngineKind, Role } from "../pool.ts";
import { forRole, withTables } from "./compose.ts";
import type { Dialect, Tables } from "./dialect.ts";
import { dynamoComponent, dynamoWorker } from "./dynamo-component.ts";
import { dynamoFrontend } from "./dynamo-frontend.ts";
import { dynamoRouter } from "./dynamo-router.ts";
import { lmcache, mooncakeStore, nixl, tent } from "./kv-libraries.ts";
import { llmDEpp } from "./llm-d-epp.ts";
import { respelled } from "./respell.ts";
import { sglang } from "./sglang.ts";
import { trtllm } from "./trtllm.ts";
import { vllm } from "./vllm.ts";

const LIBRARIES: readonly Tables[] = [nixl, mooncakeStore, tent, lmcache];

const DIALECTS: Record<EngineKind, Dialect> = {
  vllm: respelled(vllm),
  sglang: respelled(sglang),
  trtllm: respelled(trtllm),
  "dynamo-component": dynamoComponent,
  "dynamo-frontend": dynamoFrontend,
  "dynamo-router": dynamoRouter,
  "llm-d-epp": llmDEpp,
};

/** The tables of an engine in a role, with those of whatever may stand on the same page. */
export function dialectOf(engine: EngineKind, role: Role): Dialect {
  const dialect = DIALECTS[engine];
  switch (engine) {
    case "vllm":
    case "sglang":
    case "trtllm":
      return withTables(dialect, role, [...LIBRARIES, dynamoWorker]);
    case "dynamo-component":
      return withTables(dialect, role, LIBRARIES);
    case "dynamo-frontend":
    case "dynamo-router":
    case "llm-d-epp":
      return forRole(dialect, role);
  }
}
