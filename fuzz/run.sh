#!/usr/bin/env bash
# Builds the targets and runs them, two at a time: fuzz/run.sh [SECONDS [TARGET…]]   (30 s, all)
#
# It works on a stable toolchain, and installs cargo-fuzz where that is missing.
# What was found lies in fuzz/artifacts; a run that found something fails.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-30}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
    targets=(celery contexts engine otlp_json otlp_protobuf redaction resp snapshot)
fi
system=$(rustc -vV | sed -n 's/^host: //p')

began=$SECONDS
command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz
cargo fuzz build -s none
echo "built in $((SECONDS - began)) s"
python3 seeds.py >/dev/null

one() {
    local target=$1 dictionary=json
    case $target in contexts | resp) dictionary=$target ;; esac
    mkdir -p "corpus/$target" "artifacts/$target"
    "target/$system/release/$target" "corpus/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -dict="dictionaries/$dictionary.dict" -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        >"artifacts/$target.log" 2>&1 || { tail -40 "artifacts/$target.log"; echo "$target: found something" >&2; return 1; }
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "artifacts/$target.log") runs," \
        "$(sed -n 's/^stat::average_exec_per_sec: *//p' "artifacts/$target.log") a second"
}

failed=0
running=0
for target in "${targets[@]}"; do
    if ((running == 2)); then
        wait -n || failed=1
        running=1
    fi
    one "$target" &
    running=$((running + 1))
done
while ((running > 0)); do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
