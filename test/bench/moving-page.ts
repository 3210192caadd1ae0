import { readFileSync } from "node:fs";

const read = (path: string): string => readFileSync(new URL(`../fixtures/${path}`, import.meta.url), "utf8");

/** A page whose every counter and bucket grows with each look, as an engine's under load does. */
export function movingPage(text: string): () => string {
  const lines = text.split("\n").map((line) => {
    const found = /^(?!#)(.*(?:_total|_bucket|_count|_sum)(?:\{.*\})?) ([0-9.e+]+)$/.exec(line);
    return found?.[1] === undefined ? { line } : { series: found[1], value: Number(found[2]) };
  });
  let look = 0;
  return () => {
    look++;
    return lines.map((l) => ("line" in l ? l.line : `${l.series} ${l.value + look}`)).join("\n");
  };
}

/** The captured decode page: about 60 kB. */
export const enginePage = (): (() => string) => movingPage(read("engines/vllm-main-2026-08-nixl-decode-t1.txt"));

/** A captured dcgm-exporter page, its one GPU shown `gpus` times. */
export function gpuPage(gpus: number): string {
  const lines = read("gpu/dcgm-exporter-kops-l4-1.txt").split("\n");
  return lines
    .flatMap((line) =>
      line.includes('gpu="0"')
        ? Array.from({ length: gpus }, (_, i) =>
            line.replace('gpu="0"', `gpu="${i}"`).replace(/UUID="GPU-[0-9a-f]{8}/, `UUID="GPU-0000000${i}`),
          )
        : [line],
    )
    .join("\n");
}
