import { zone } from "../clock.ts";
import { span } from "../format.ts";
import type { PageLeader } from "../../wire/page.ts";
import { interval, latest, model, unreadable } from "../live.ts";

export function Footer() {
  const state = model.value.state;
  const at = latest.value?.at;
  return (
    <footer class="muted small">
      {state === null ? "Fulcrum" : `Fulcrum ${state.version}`}
      {state === null || state.leader === null ? "" : ` · ${ledBy(state.leader)}`}
      {at === undefined ? "" : ` · times in ${zone(at)} · a frame every ${span(interval.value)} · “—” means absent, never zero`}
      {unreadable.value === 0 ? "" : ` · ${unreadable.value} messages could not be read`}
    </footer>
  );
}

/** Who may act. */
function ledBy(leader: PageLeader): string {
  if (leader.standing === "leading") return `this scaler leads (${leader.identity})`;
  if (leader.standing === "standby")
    return `this scaler stands by, ${leader.holder ?? "another one"} leads: what is shown is the last it knew`;
  return "this scaler is cut off from the API server: it decides and changes nothing";
}
