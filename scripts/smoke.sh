#!/usr/bin/env bash
# smoke.sh NODE…: the built program under a given node: version, a policy, a plan, a small back-test, a short demo.
set -euo pipefail
cd "$(dirname "$0")/.."
fulcrum=("$@" dist/fulcrum.mjs)
[[ -f dist/fulcrum.mjs ]] || node build.mjs
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$@" --version
"${fulcrum[@]}" --version
"${fulcrum[@]}" policy check policies/*.yaml
echo '{"type":"hello","policy":{"apiVersion":"fulcrum.dev/v1alpha1","kind":"ScalingPolicy","metadata":{"name":"smoke"},"spec":{"objectives":{"ttft":{"target":"500ms"}},"budget":{"gpus":4}}}}' |
  "${fulcrum[@]}" plan | grep -qx '{"type":"ready"}'
{
  echo "arrival,input_tokens,output_tokens"
  for i in $(seq 1 200); do echo "$((i / 2)),800,100"; done
} >"$work/trace.csv"
"${fulcrum[@]}" backtest --policy policies/minimal.yaml --trace "$work/trace.csv" --controllers fulcrum --json |
  "$@" -e 'let t = ""; process.stdin.on("data", (d) => (t += d)).on("end", () => { const [run] = JSON.parse(t).runs; if (!(run.completed > 0)) process.exit(1); console.log(`back-test: ${run.completed} requests, ${run.gpuHours} GPU-hours`); })'
"${fulcrum[@]}" demo --duration 15s --port "${FULCRUM_SMOKE_PORT:-9800}" --run-dir "$work/run" --json 2>"$work/demo.log" |
  "$@" -e 'let t = ""; process.stdin.on("data", (d) => (t += d)).on("end", () => { const s = JSON.parse(t); if (!(s.requests > 0 && s.decisions !== undefined)) process.exit(1); console.log(`demo: ${s.requests} requests`); })' ||
  { tail -n 20 "$work/demo.log"; exit 1; }
echo "smoke: good"
