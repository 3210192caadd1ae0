import type { ComponentChildren } from "preact";

interface TileProps {
  readonly name: string;
  readonly title: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Tile(props: TileProps) {
  return (
    <div class={`tile ${props.class ?? ""}`}>
      <h2 title={props.title}>{props.name}</h2>
      <div class="tile-body">{props.children}</div>
    </div>
  );
}

export function Note({ bad, children }: { readonly bad?: boolean; readonly children: ComponentChildren }) {
  return <span class={bad === true ? "note bad" : "note"}>{children}</span>;
}
