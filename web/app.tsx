import { effect } from "@preact/signals";
import { latest, policy, stale } from "./live.ts";
import { Decisions } from "./panels/decisions.tsx";
import { Footer } from "./panels/footer.tsx";
import { Header } from "./panels/header.tsx";
import { Latency } from "./panels/latency.tsx";
import { Links } from "./panels/links.tsx";
import { Override } from "./panels/override.tsx";
import { Objectives } from "./panels/objectives.tsx";
import { Pool } from "./panels/pool.tsx";

effect(() => {
  document.title = policy.value === null ? "Fulcrum" : `${policy.value.name} · Fulcrum`;
});

export function App() {
  return (
    <>
      <a class="skip" href="#decisions">
        Skip to decisions
      </a>
      <Header />
      <Override />
      <main class={stale.value ? "is-stale" : ""}>{policy.value === null ? <Waiting /> : <Panels />}</main>
      <Footer />
    </>
  );
}

function Panels() {
  return (
    <>
      <Objectives />
      <div class="overview">
        <Latency />
        <Decisions />
      </div>
      <div class="pools">
        <Pool role="prefill" />
        <Pool role="decode" />
      </div>
      <Links />
      {latest.value === null ? (
        <p class="empty">No frame of this policy yet: the first comes with the scaler's next control tick.</p>
      ) : null}
    </>
  );
}

function Waiting() {
  return (
    <section class="panel empty" aria-label="No data">
      <p>No policy to show yet.</p>
      <p class="muted">The page fills as soon as the scaler answers and has loaded a policy.</p>
    </section>
  );
}
