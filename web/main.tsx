import { render } from "preact";
import "uplot/dist/uPlot.min.css";
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
