import { describe, expect, it } from "vitest";
import { z } from "zod";
import { complaint } from "../../wire/words.ts";

const schema = z.strictObject({
  name: z.string(),
  count: z.int().min(1).max(9),
  engine: z.enum(["vllm", "sglang"]),
  points: z.array(z.number()).min(2),
});
const good = { name: "a", count: 3, engine: "vllm", points: [1, 2] };

function said(value: unknown): string[] {
  const parsed = schema.safeParse(value, { error: complaint });
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
}

describe("what is said of a document that is none", () => {
  it("names what was expected and what was found", () => {
    expect(said(good)).toEqual([]);
    expect(said({ ...good, name: 7 })).toEqual(["name: expected a text in quotes, found 7"]);
    expect(said({ ...good, name: null })).toEqual(["name: expected a text in quotes, found null"]);
    expect(said({ ...good, count: "3" })).toEqual(['count: expected a number, found "3"']);
    expect(said({ ...good, count: 0 })).toEqual(["count: expected at least 1, found 0"]);
    expect(said({ ...good, count: 10 })).toEqual(["count: expected at most 9, found 10"]);
    expect(said({ ...good, engine: "vlm" })).toEqual(['engine: expected "vllm" or "sglang", found "vlm"']);
    expect(said({ ...good, points: [1] })).toEqual(["points: expected at least 2 entries, found 1"]);
    expect(said([])).toEqual([": expected fields in braces, found a list"]);
  });

  it("says of what is not there that it is missing, and of what does not belong there its name", () => {
    const { name: _, ...nameless } = good;
    expect(said(nameless)).toEqual(["name: is missing, expected a text in quotes"]);
    expect(said({ ...good, extra: 1, more: 2 })).toEqual([': has no field "extra", "more"']);
  });

  it("quotes no more than the beginning of a long value", () => {
    expect(said({ ...good, count: "x".repeat(1000) })[0]?.length).toBeLessThan(90);
  });
});
