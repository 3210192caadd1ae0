import { render } from "preact";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet has no value; esbuild puts it into page.css
import "uplot/dist/uPlot.min.css";
// oxlint-disable-next-line import/no-unassigned-import -- as above
import "./style.css";
import { App } from "./app.tsx";
import { start } from "./live.ts";

// Beside the page, so that it also works behind a proxy that serves it under a path.
const feed = new URL("live", document.baseURI);
feed.protocol = feed.protocol === "https:" ? "wss:" : "ws:";
feed.search = feed.hash = "";

const root = document.getElementById("page");
if (root !== null) {
  render(<App />, root);
  start(feed.href);
}
