import { clock, iso } from "../clock.ts";
import { localSeconds } from "../feed.ts";
import { span } from "../format.ts";
import { age, chosenPolicy, interval, latest, link, model, now, policy, stale, windowSeconds, WINDOWS } from "../live.ts";
import { policyKeys } from "../store.ts";

const MODES = {
  observe: "observe: decides and explains, changes nothing",
  enforce: "enforce: decisions are applied",
  paused: "paused: the pools are left as they are",
} as const;

export function Header() {
  const shown = policy.value;
  return (
    <header class="top">
      <div class="brand">
        <Mark />
        <h1>Fulcrum</h1>
      </div>
      <div class="who">
        <PolicyName />
        {shown === null ? null : (
          <>
            <span class={`badge mode-${shown.mode}`} title={MODES[shown.mode]}>
              {shown.mode}
            </span>
            <span class="muted namespace" title="namespace and served model">
              {shown.namespace}
              {shown.model === null ? "" : ` · ${shown.model}`}
            </span>
          </>
        )}
      </div>
      <WindowChoice />
      <Connection />
    </header>
  );
}

/** A beam on its pivot. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" width="22" height="22" aria-hidden="true">
      <path class="mark-beam" d="M1 6.2 15 3.8v1.6L1 7.8z" />
      <path class="mark-pivot" d="M8 7l4 7H4z" />
    </svg>
  );
}

function PolicyName() {
  const policies = model.value.state?.policies ?? [];
  const shown = policy.value;
  if (shown === null || policies.length < 2) return <span class="policy">{shown?.name ?? ""}</span>;
  return (
    <label class="choice">
      <span class="unseen">Policy</span>
      <select value={policyKeys(shown)[0]} onChange={(event) => (chosenPolicy.value = event.currentTarget.value)}>
        {policies.map((p) => (
          <option key={policyKeys(p)[0]} value={policyKeys(p)[0]}>
            {policies.some((other) => other !== p && other.name === p.name) ? policyKeys(p)[0] : p.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function WindowChoice() {
  return (
    <fieldset class="segments">
      <legend class="unseen">Time range of the charts</legend>
      {WINDOWS.map((w) => (
        <label key={w.seconds}>
          <input
            type="radio"
            name="window"
            checked={windowSeconds.value === w.seconds}
            onChange={() => (windowSeconds.value = w.seconds)}
          />
          <span>{w.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The word is announced when it changes; the running age beside it is not. */
function Connection() {
  const word = stateWord();
  const at = latest.value?.at;
  return (
    <div class="connection">
      <span role="status" class={`status status-${word}`} title={TITLES[word]()}>
        <span class="dot" aria-hidden="true" />
        {word}
      </span>
      <span class="muted last" title={at === undefined ? "no data yet" : iso(at)}>
        {at === undefined ? "no data yet" : `data ${clock(at)}`}
        {age.value === null ? "" : `, ${span(age.value)} old`}
        <Retry />
      </span>
    </div>
  );
}

type Word = "connecting" | "live" | "stale" | "reconnecting";

function stateWord(): Word {
  if (link.value.state === "lost") return "reconnecting";
  if (link.value.state === "connecting") return latest.value === null ? "connecting" : "reconnecting";
  return stale.value ? "stale" : "live";
}

const TITLES: Record<Word, () => string> = {
  connecting: () => "asking the scaler for its state",
  live: () => "connected, data is fresh",
  stale: () => `connected, but no frame for more than three intervals of ${span(interval.value)}: what is shown is old`,
  reconnecting: () => "the connection to the scaler is lost: what is shown is the last that was known",
};

function Retry() {
  const state = link.value;
  // Read, so that the countdown moves.
  void now.value;
  if (state.state !== "lost") return null;
  return <>{`, next try in ${span(Math.max(0, Math.ceil(state.retryAt - localSeconds())))}`}</>;
}
