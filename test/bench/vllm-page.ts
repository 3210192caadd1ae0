import { readFileSync } from "node:fs";

const fixture = new URL("../fixtures/engines/vllm-main-2026-08-nixl-decode-t1.txt", import.meta.url);

/** The decode page of the fixture as one process with many data-parallel ranks shows it: each series once per rank, families together. */
export function vllmPage(ranks: number): string {
  const out: string[] = [];
  let family: string[] = [];
  const flush = (): void => {
    for (let rank = 0; rank < ranks; rank++) for (const line of family) out.push(line.replace('engine="0"', `engine="${rank}"`));
    family = [];
  };
  for (const line of readFileSync(fixture, "utf8").trimEnd().split("\n")) {
    if (line.includes('engine="0"')) family.push(line);
    else {
      flush();
      out.push(line);
    }
  }
  flush();
  return `${out.join("\n")}\n`;
}
