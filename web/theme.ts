/** Line colours by meaning; the values of both themes stand in style.css (Okabe–Ito hues, told apart by colour-blind readers). */
export type Tone = "blue" | "orange" | "green" | "purple" | "ink" | "grid" | "muted";

export const color = (tone: Tone): string => getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim();

/** Calls back when the system's theme changes: a canvas does not repaint by itself. */
export function onTheme(changed: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  return () => dark.removeEventListener("change", changed);
}
