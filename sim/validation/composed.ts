import type { Profile } from "../../core/profile.ts";
import { ASSUMED_LINK } from "../profiles/assumed-link.ts";

/** Prefill and decode tables composed from operator measurements, many replicas in one CSV → a profile for each (gpu, model, tp). */
export function fromComposed(prefillCsv: string, decodeCsv: string, capacityCsv: string): Profile[] {
  const prefill = rows(prefillCsv);
  const decode = rows(decodeCsv);
  const same = (a: Row, b: Row): boolean => a["gpu"] === b["gpu"] && a["model"] === b["model"] && a["tp"] === b["tp"];
  return rows(capacityCsv).flatMap((build) => {
    const capacity = Number(build["kv_capacity_tokens"]);
    const passes = prefill.filter((row) => same(row, build));
    const steps = decode.filter((row) => same(row, build));
    if (!(capacity > 0) || passes.length < 3 || steps.length < 3) return [];
    const tp = Number(build["tp"]);
    return [
      {
        name: `${build["gpu"]} ${build["model"]} TP${tp}`,
        gpu: build["gpu"] ?? "",
        model: build["model"] ?? "",
        gpusPerReplica: { prefill: tp, decode: tp },
        kvBytesPerToken: Number(build["kv_bytes_per_token"]),
        kvCapacityTokens: capacity,
        prefill: passes.map((row) => ({ tokens: Number(row["isl"]), batch: Number(row["batch"]), ms: Number(row["prefill_ms"]) })),
        decode: steps.map((row) => ({ batch: Number(row["batch"]), ctx: Number(row["context"]), ms: Number(row["decode_step_ms"]) })),
        transfer: ASSUMED_LINK,
      },
    ];
  });
}

type Row = Readonly<Record<string, string>>;

function rows(csv: string): Row[] {
  const [head = "", ...lines] = csv.trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ""]));
  });
}
