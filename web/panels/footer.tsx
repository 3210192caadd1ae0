import { zone } from "../clock.ts";
import { span } from "../format.ts";
import { interval, latest, model, unreadable } from "../live.ts";

export function Footer() {
  const state = model.value.state;
  const at = latest.value?.at;
  return (
    <footer class="muted small">
      {state === null ? "Fulcrum" : `Fulcrum ${state.version}`}
      {at === undefined ? "" : ` · times in ${zone(at)} · a frame every ${span(interval.value)} · “—” means absent, never zero`}
      {unreadable.value === 0 ? "" : ` · ${unreadable.value} messages could not be read`}
    </footer>
  );
}
