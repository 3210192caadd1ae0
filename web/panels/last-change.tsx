import { clock, iso } from "../clock.ts";
import { rows } from "../live.ts";
import { Steps } from "./decision-row.tsx";
import { Note, Tile } from "./tile.tsx";

/** The newest decision that changed something, in one line; the list below tells the rest. */
export function LastChange() {
  const row = rows.value.find((r) => r.changed);
  return (
    <Tile name="Last change" title="the newest decision that changed the pools" class="wide">
      {row === undefined ? (
        <Note>none since this page's history began</Note>
      ) : (
        <>
          <span class="steps">
            <Steps row={row} />
          </span>
          <Note>
            <time dateTime={iso(row.entry.decision.at)}>{clock(row.entry.decision.at)}</time> ·{" "}
            {row.entry.decision.reasons[0]?.text ?? "no reason given"}
          </Note>
        </>
      )}
    </Tile>
  );
}
