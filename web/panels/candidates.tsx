import type { Candidate, Decision } from "../../core/decision.ts";
import { gpus, latency } from "../format.ts";

interface CandidatesProps {
  readonly candidates: readonly Candidate[];
  readonly chosen: Decision["pools"];
}

/** The plans that were weighed: why not one replica less. */
export function Candidates({ candidates, chosen }: CandidatesProps) {
  return (
    <div class="scroll-x">
      <table class="candidates">
        <caption>Plans weighed, cheapest first</caption>
        <thead>
          <tr>
            <th scope="col">P + D</th>
            <th scope="col">GPUs</th>
            <th scope="col">TTFT</th>
            <th scope="col">ITL</th>
            <th scope="col">Targets</th>
          </tr>
        </thead>
        <tbody>
          {candidates.map((c) => {
            const taken = c.prefill === chosen.prefill.replicas && c.decode === chosen.decode.replicas;
            return (
              <tr key={`${c.prefill}+${c.decode}`} class={taken ? "taken" : ""}>
                <th scope="row">
                  {c.prefill} + {c.decode}
                  {taken ? " (chosen)" : ""}
                </th>
                <td>{gpus(c.gpus)}</td>
                <td>{latency(c.ttft)}</td>
                <td>{latency(c.itl)}</td>
                <td>{c.meets ? "met" : "missed"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
