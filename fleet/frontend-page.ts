import type { PlantRequest, RequestRecord } from "../sim/plant/plant.types.ts";
import { rustNumber } from "./engine/number-text.ts";
import { Page } from "./engine/page.ts";
import type { DecodeRun } from "./engine-feed.ts";
import { FRONTEND_FAMILIES } from "./frontend-families.ts";
import { renderWorkers, type FrontendWorker } from "./frontend-workers.ts";

/** What the frontend shows of the moment. */
export interface FrontendMoment {
  readonly inFlight: number;
  /** Requests no engine has taken yet, per leg. */
  readonly unroutedPrefill: number;
  readonly unroutedDecode: number;
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
  readonly workers: readonly FrontendWorker[];
}

/** The HTTP frontend in front of both pools: the only place that sees what users see. */
export interface Frontend {
  started(): void;
  firstToken(request: PlantRequest, ttft: number): void;
  /** Kept by reference until `flush`, as first tokens take gaps away right after. */
  steps(run: DecodeRun): void;
  finished(record: RequestRecord): void;
  flush(): void;
  render(moment: FrontendMoment): string;
}

const START = "chat_completions,stream";
const DONE = "chat_completions,,stream,success";
/** A prompt that no engine can hold is refused as overload: the page has no nearer word for it. */
const REFUSED = "chat_completions,overload,stream,error";
const BLOCK_TOKENS = 16;
const CONTEXT_TOKENS = 40_960;

export function createFrontend(model: string, kvCapacityTokens: number): Frontend {
  const page = new Page(
    FRONTEND_FAMILIES,
    { model },
    {
      number: rustNumber,
      bound: rustNumber,
      sum: "before-count",
      created: undefined,
      le: "last",
    },
  );
  page.set("dynamo_frontend_model_context_length", CONTEXT_TOKENS);
  page.set("dynamo_frontend_model_kv_cache_block_size", BLOCK_TOKENS);
  page.set("dynamo_frontend_model_total_kv_blocks", Math.floor(kvCapacityTokens / BLOCK_TOKENS));
  let runs: DecodeRun[] = [];
  const flush = (): void => {
    for (const run of runs) page.observe("dynamo_frontend_inter_token_latency_seconds", run.stepSeconds, run.gaps);
    runs = [];
  };
  return {
    started: () => page.add("dynamo_frontend_requests_started_total", 1, START),
    firstToken(request, ttft) {
      page.observe("dynamo_frontend_time_to_first_token_seconds", ttft);
      page.observe("dynamo_frontend_input_sequence_tokens", request.inputTokens);
    },
    steps(run) {
      runs.push(run);
      page.add("dynamo_frontend_output_tokens_total", run.steps * run.sequences);
    },
    finished: (record) => finish(page, record),
    flush,
    render(moment) {
      flush();
      setMoment(page, moment);
      return page.render() + renderWorkers(moment.workers);
    },
  };
}

function finish(page: Page, record: RequestRecord): void {
  if (record.failed) {
    page.add("dynamo_frontend_requests_total", 1, REFUSED);
    return;
  }
  page.add("dynamo_frontend_requests_total", 1, DONE);
  page.observe("dynamo_frontend_cached_tokens", record.cachedTokens);
  page.observe("dynamo_frontend_output_sequence_tokens", record.request.outputTokens);
  page.observe("dynamo_frontend_request_duration_seconds", record.end - record.request.arrival);
}

function setMoment(page: Page, moment: FrontendMoment): void {
  const running = (role: FrontendWorker["role"]): number =>
    moment.workers.reduce((sum, worker) => sum + (worker.role === role ? worker.requests : 0), 0);
  page.set("dynamo_frontend_active_requests", moment.inFlight);
  page.set("dynamo_frontend_inflight_requests", moment.inFlight);
  page.set("dynamo_frontend_queued_requests", moment.unroutedPrefill + moment.unroutedDecode);
  page.set("dynamo_frontend_model_max_num_batched_tokens", moment.maxBatchedTokens);
  page.set("dynamo_frontend_model_max_num_seqs", moment.maxNumSeqs);
  page.set("dynamo_frontend_stage_requests", moment.unroutedPrefill, "prefill,route");
  page.set("dynamo_frontend_stage_requests", running("prefill"), "prefill,dispatch");
  page.set("dynamo_frontend_stage_requests", moment.unroutedDecode, "decode,route");
  page.set("dynamo_frontend_stage_requests", running("decode"), "decode,dispatch");
}
