import { listJournal, readPart } from "../journal/part.ts";
import { json, type Reply } from "./http.ts";

export const JOURNAL_PATH = "/api/journal";

/** Whole lines of a journal file; `application/x-ndjson`. */
const LINES = "application/x-ndjson";

/**
 * `GET /api/journal`: the journal's files by age, as `{ files: [{ name, bytes }] }`; with `?file=NAME&from=BYTE` whole lines of one of them.
 * With `&sha256=HEX`, the digest of what the asker has of it, 409 where that is not how it begins here.
 */
export async function journalReply(directory: string | undefined, query: URLSearchParams): Promise<Reply> {
  if (directory === undefined) return json({ error: "this scaler keeps no journal (setting journal)" }, 404);
  const name = query.get("file");
  if (name === null) return json({ files: await listJournal(directory) });
  const from = query.get("from") ?? "0";
  if (!/^\d{1,15}$/.test(from)) return json({ error: `from must be a whole number, not "${from.slice(0, 40)}"` }, 400);
  const part = await readPart(directory, name, Number(from), query.get("sha256") ?? undefined);
  switch (part.kind) {
    case "none":
      return json({ error: `there is no journal file ${name.slice(0, 60)} here` }, 404);
    case "other":
      return json({ error: `${name} does not begin here with what you have of it` }, 409);
    case "lines":
      return { status: 200, type: LINES, body: part.bytes };
  }
}
