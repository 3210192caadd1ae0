import { prefillTime, stepTime, type PlannerModel } from "./planner-model.ts";

/** What the throughput loop sizes for: lengths of the last interval, engine limits, latency targets. */
export interface PlannerLoad {
  readonly prompt: number;
  readonly answer: number;
  readonly hitRate: number;
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
  readonly kvTokens: number;
  readonly ttft: number;
  readonly itl: number;
}

const CANDIDATES = 128;

/** Requests/s of one prefill engine: max B ÷ TTFT(B) with TTFT(B) ≤ target; the best of the ineligible if none is. */
export function prefillRate(model: PlannerModel, load: PlannerLoad): number {
  const prompt = Math.max(1, load.prompt * (1 - load.hitRate));
  const most = Math.max(1, Math.min(load.maxNumSeqs, Math.floor(load.maxBatchedTokens / prompt)));
  return bestRate(most, load.ttft, (batch) => {
    const ttft = prefillTime(model, batch * prompt, prompt, load.maxBatchedTokens);
    return { latency: ttft, rate: batch / ttft };
  });
}

/** Requests/s of one decode engine: max B ÷ (osl · ITL(B)) with ITL(B) ≤ target at context isl + osl/2. */
export function decodeRate(model: PlannerModel, load: PlannerLoad): number {
  const context = Math.max(1, load.prompt + load.answer / 2);
  const most = Math.max(1, Math.min(load.maxNumSeqs, Math.floor(load.kvTokens / context)));
  return bestRate(most, load.itl, (batch) => {
    const itl = stepTime(model, batch, batch * context);
    return { latency: itl, rate: batch / (Math.max(1, load.answer) * itl) };
  });
}

function bestRate(most: number, target: number, at: (batch: number) => { latency: number; rate: number }): number {
  let eligible = 0;
  let ineligible = 0;
  const count = Math.min(CANDIDATES, most);
  for (let index = 1; index <= count; index += 1) {
    const { latency, rate } = at(Math.max(1, Math.round((most * index) / count)));
    if (latency <= target) eligible = Math.max(eligible, rate);
    else ineligible = Math.max(ineligible, rate);
  }
  return eligible > 0 ? eligible : ineligible;
}
