/**
 * Replays measured latency tables through the plant and states its errors.
 *   npm run validate:plant                      every table in ../shared/profiles, written into docs/simulator.md
 *   npm run validate:plant -- --check           the same, compared with the page
 *   npm run validate:plant -- PROFILE.json…     your own profile files, printed
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Profile } from "../core/profile.ts";
import { loadProfile } from "../sim/profiles/read.ts";
import { fromComposed } from "../sim/validation/composed.ts";
import { validate } from "../sim/validation/errors.ts";
import { validationTable } from "../sim/validation/table.ts";
import { sharedPath } from "../test/support/shared.ts";

const PAGE = fileURLToPath(new URL("../docs/simulator.md", import.meta.url));
const [BEGIN, END] = ["<!-- validate:plant begins -->", "<!-- validate:plant ends -->"];
const MEASURED = [
  "reference/h200-llama8b-profile.json",
  "profiles/h200_llama-3.1-8b-fp8_vllm_tp1.json",
  "profiles/h100_llama-3.3-70b-fp8_vllm_tp2.json",
  "profiles/h100_llama-3.3-70b-fp8_vllm_tp4.json",
  "profiles/h100_llama-3.3-70b-fp8_vllm_tp8.json",
];

function shared(path: string): string {
  const full = sharedPath(path);
  if (full !== undefined) return full;
  console.error(`${path}: not found; the measured tables are looked for in ../shared, or where FULCRUM_SHARED points`);
  process.exit(3);
}

async function load(file: string): Promise<Profile> {
  const profile = await loadProfile(file);
  if (profile.ok) return profile.value;
  for (const problem of profile.error) console.error(problem);
  process.exit(2);
}

async function composed(): Promise<Profile[]> {
  const texts = ["composed_prefill_h100_h200", "composed_decode_h100_h200", "kv_capacity"].map((name) => shared(`profiles/${name}.csv`));
  const [prefill = "", decode = "", capacity = ""] = await Promise.all(texts.map((file) => readFile(file, "utf8")));
  return fromComposed(prefill, decode, capacity);
}

async function everything(): Promise<string> {
  const measured = await Promise.all(MEASURED.map(async (path) => ({ path, profile: await load(shared(path)) })));
  const tables = await composed();
  const groups = [...new Set(tables.map(({ gpu }) => gpu))].map((gpu) => {
    const profiles = tables.filter((profile) => profile.gpu === gpu);
    return { name: `composed, ${gpu}, ${profiles.length} builds`, found: validate(profiles) };
  });
  const each = measured.map(({ path, profile }) => ({ name: path.replace(/^.*\/|\.json$/g, ""), found: validate([profile]) }));
  return validationTable([...each, ...groups]);
}

const given = process.argv.slice(2).filter((argument) => argument !== "--check");
if (given.length > 0) {
  const rows = await Promise.all(given.map(async (file) => ({ name: file, found: validate([await load(file)]) })));
  console.log(validationTable(rows));
} else {
  const page = await readFile(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no "${BEGIN}" … "${END}"`);
  const fresh = `${before}${BEGIN}\n\n${await everything()}\n\n${END}${after}`;
  if (!process.argv.includes("--check")) await writeFile(PAGE, fresh);
  else if (fresh !== page) {
    console.error("docs/simulator.md does not state the plant's present errors: npm run validate:plant");
    process.exit(1);
  }
}
