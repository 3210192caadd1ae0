import { signal } from "@preact/signals";
import { rows } from "../live.ts";
import { LIMITS } from "../store.ts";
import { DecisionItem } from "./decision-row.tsx";

const changesOnly = signal(true);
const PAGE = 50;
const visible = signal(PAGE);

function choose(only: boolean): void {
  changesOnly.value = only;
  visible.value = PAGE;
}

export function Decisions() {
  const all = rows.value;
  const changes = all.filter((r) => r.changed);
  const listed = changesOnly.value ? changes : all;
  const rest = listed.length - visible.value;
  return (
    <section class="panel decisions" id="decisions" aria-labelledby="decisions-title" tabIndex={-1}>
      <div class="panel-head">
        <h2 id="decisions-title">Decisions</h2>
        <fieldset class="segments">
          <legend class="unseen">Which decisions</legend>
          <Choice only={true} label={`Changes ${changes.length}`} />
          <Choice only={false} label={`All ${all.length}`} />
        </fieldset>
      </div>
      <div class="decision-scroll" tabIndex={0} role="region" aria-label="Decisions, newest first">
        {listed.length === 0 ? <p class="empty muted">{emptyText(all.length)}</p> : null}
        <ol class="decision-list">
          {listed.slice(0, visible.value).map((row) => (
            <DecisionItem key={row.key} row={row} />
          ))}
        </ol>
        {rest <= 0 ? null : (
          <button type="button" class="more" onClick={() => (visible.value += PAGE)}>
            Show {Math.min(PAGE, rest)} older of {rest}
          </button>
        )}
      </div>
      <p class="unseen" role="status">
        {announcement(changes[0]?.entry.decision.reasons[0]?.text)}
      </p>
      <p class="muted small">The page keeps {LIMITS.decisions} decisions; those that changed nothing leave first.</p>
    </section>
  );
}

const emptyText = (known: number): string =>
  known === 0 ? "No decision yet." : `No change among the last ${known} decisions: the pools were left as they are.`;

const announcement = (reason: string | undefined): string => (reason === undefined ? "" : `Latest change: ${reason}`);

function Choice({ only, label }: { readonly only: boolean; readonly label: string }) {
  return (
    <label>
      <input type="radio" name="decisions" checked={changesOnly.value === only} onChange={() => choose(only)} />
      <span>{label}</span>
    </label>
  );
}
