import { type Format, show } from "./format.ts";

interface ValueProps {
  readonly value: number | null | undefined;
  readonly format: Format;
}

/** A number with its unit, or a dash that says it is absent: to eyes, to a pointer and to a screen reader. */
export function Value({ value, format }: ValueProps) {
  const { text, absent } = show(value, format);
  if (!absent) return <span class="value">{text}</span>;
  return (
    <span class="value absent" title="absent: no fresh measurement">
      <span aria-hidden="true">{text}</span>
      <span class="unseen">absent</span>
    </span>
  );
}
