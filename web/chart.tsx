import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type ChartSpec, chartOptions, type Line, SYNC } from "./chart-options.ts";
import { clock } from "./clock.ts";
import { type Columns, columns, type View } from "./columns.ts";
import { show } from "./format.ts";
import { onTheme } from "./theme.ts";
import { Value } from "./value.tsx";

interface ChartProps {
  readonly spec: ChartSpec;
  readonly view: View;
}

/** A time chart with a legend that reads the newest values, or those under the crosshair. */
export function Chart({ spec, view }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const at = useSignal<number | null>(null);
  const picks = useMemo(() => spec.lines.map((line) => line.pick), [spec]);
  const data = useMemo(() => columns(view, picks), [view, picks]);

  useLayoutEffect(() => {
    const place = box.current;
    if (place === null) return;
    const moved = (u: uPlot): void => void (at.value = u.cursor.idx ?? null);
    const u = new uPlot(chartOptions(spec, sizeOf(place), moved), [[], ...spec.lines.map(() => [])], place);
    plot.current = u;
    const resize = new ResizeObserver(() => u.setSize(sizeOf(place)));
    resize.observe(place);
    const forget = onTheme(() => u.redraw(false, true));
    return () => {
      forget();
      resize.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [spec, at]);

  useEffect(() => {
    const u = plot.current;
    if (u === null) return;
    u.batch(() => {
      u.setData(data, false);
      u.setScale("x", { min: view.from, max: view.to });
    });
  }, [spec, view, data]);

  const [times] = data;
  const pointed = at.value;
  const index = pointed ?? times.length - 1;
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{spec.title}</span>
        {pointed === null || times[pointed] === undefined ? null : <time class="chart-at">{clock(times[pointed])}</time>}
      </figcaption>
      <div class="plot-area">
        <div
          ref={box}
          class="plot"
          tabIndex={0}
          role="img"
          aria-label={describe(spec, data)}
          onKeyDown={(event) => walk(plot.current, event)}
          onBlur={() => pointAll(null)}
        />
        {isBlank(data) ? <p class="blank">absent in this range</p> : null}
      </div>
      <ul class="legend">
        {spec.lines.map((line, i) => (
          <li key={line.label}>
            <Swatch line={line} />
            <span class="legend-name">{line.label}</span> <Value value={data[i + 1]?.[index]} format={line.format} />
          </li>
        ))}
      </ul>
    </figure>
  );
}

function Swatch({ line }: { readonly line: Line }) {
  return (
    <svg class="swatch" width="18" height="8" aria-hidden="true">
      <line x1="0" y1="4" x2="18" y2="4" class={`stroke-${line.tone} ${line.dash ?? "solid"}`} stroke-width={line.width ?? 1.5} />
    </svg>
  );
}

const AWAY = { left: -10, top: -10 };
const sizeOf = (place: HTMLElement) => ({ width: Math.max(1, place.clientWidth), height: Math.max(1, place.clientHeight) });

/** A pool may never report a signal: an empty frame should say so. */
const isBlank = ([, ...lines]: Columns): boolean => lines.every((line) => line.every((value) => value === null));

/** What a screen reader says of the picture: the newest values. */
function describe(spec: ChartSpec, data: Columns): string {
  const last = data[0].length - 1;
  const parts = spec.lines.map((line, i) => {
    const { text, absent } = show(data[i + 1]?.[last], line.format);
    return `${line.label} ${absent ? "absent" : text}`;
  });
  return `${spec.title} over time, now: ${parts.join(", ")}`;
}

/** Arrow keys move the crosshair from point to point; Escape lets it go. */
function walk(u: uPlot | null, event: KeyboardEvent): void {
  if (u === null) return;
  if (event.key === "Escape") return pointAll(null);
  const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  const times = u.data[0];
  if (by === 0 || times.length === 0) return;
  event.preventDefault();
  const index = Math.min(times.length - 1, Math.max(0, (u.cursor.idx ?? times.length) + by));
  pointAll(times[index] ?? null);
}

/** All charts show the same time, as they do under the pointer. */
function pointAll(time: number | null): void {
  for (const u of uPlot.sync(SYNC).plots) u.setCursor(time === null ? AWAY : { left: u.valToPos(time, "x"), top: 0 }, true);
}
