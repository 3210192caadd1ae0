import { readFileSync } from "node:fs";

/** A captured page or export; origins are in the README of each folder. */
export const fixture = (path: string): string => readFileSync(new URL(`../fixtures/${path}`, import.meta.url), "utf8");
