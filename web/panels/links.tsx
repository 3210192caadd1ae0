import type { PageLink, PageNotice } from "../../wire/page.ts";
import { bandwidth, count, latency, span } from "../format.ts";
import { model, policy } from "../live.ts";
import { policyKeys } from "../store.ts";
import { Value } from "../value.tsx";

const transfers = count("transfer", "transfers");
const failures = count("failure", "failures");

/** KV transfers by source and target node, the slow ones first, and what the KV path suffers from. */
export function Links() {
  const { state } = model.value;
  const shown = policy.value;
  if (state === null || shown === null) return null;
  const keys: readonly string[] = policyKeys(shown);
  const matrix = state.links.find((one) => keys.includes(one.policy));
  const notices = state.notices;
  if (notices.length === 0 && (matrix === undefined || matrix.links.length === 0)) return null;
  return (
    <section class="panel" aria-labelledby="links">
      <h2 id="links">KV path</h2>
      <Notices notices={notices} at={state.at} />
      {matrix === undefined || matrix.links.length === 0 ? null : (
        <div class="scroll-x">
          <table class="links">
            <caption>
              KV transfers between nodes, last {span(matrix.seconds)}
              {matrix.others === 0 ? "" : `; ${matrix.others} more links not shown`}
            </caption>
            <thead>
              <tr>
                <th scope="col">From → to</th>
                <th scope="col">Transfers</th>
                <th scope="col" title="KV bytes over wall time, from prompt tokens and the engines' bytes per token">
                  Carried
                </th>
                <th scope="col" title="bytes of the transfers over the time they took">
                  Speed
                </th>
                <th scope="col">Mean time</th>
                <th scope="col">Failures</th>
                <th scope="col" title="speed of the median link over this one's">
                  Against median
                </th>
              </tr>
            </thead>
            <tbody>
              {matrix.links.map((link) => (
                <Row key={`${link.source} ${link.target}`} link={link} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row({ link }: { readonly link: PageLink }) {
  return (
    <tr class={link.slow ? "slow" : ""}>
      <th scope="row">
        {link.source ?? "?"} → {link.target ?? "?"}
        {link.slow ? " (slow)" : ""}
      </th>
      <td>{transfers(link.transfers)}</td>
      <td>
        <Value value={link.bytesPerSecond} format={bandwidth} />
      </td>
      <td>
        <Value value={link.speed} format={bandwidth} />
      </td>
      <td>
        <Value value={link.meanSeconds} format={latency} />
      </td>
      <td>{failures(link.failures)}</td>
      <td>
        <Value value={link.slowness} format={times} />
      </td>
    </tr>
  );
}

const times = (slowness: number): string => (slowness >= 1 ? `${slowness.toFixed(1)} × slower` : `${(1 / slowness).toFixed(1)} × faster`);

function Notices({ notices, at }: { readonly notices: readonly PageNotice[]; readonly at: number }) {
  if (notices.length === 0) return null;
  return (
    <ul class="notices">
      {notices.map((notice) => (
        <li key={`${notice.code} ${notice.subject}`}>
          <strong>{WORDS[notice.code]}</strong>: {notice.subject}
          {notice.text === "" ? "" : `, ${notice.text}`} <span class="muted">for {span(Math.max(0, at - notice.since))}</span>
        </li>
      ))}
    </ul>
  );
}

const WORDS: Readonly<Record<PageNotice["code"], string>> = {
  "kv-transfer-fell-back-to-tcp": "KV transfers fell back to TCP",
  "kv-path-congested": "KV path congested",
  "kv-link-slow": "Slow link",
};
