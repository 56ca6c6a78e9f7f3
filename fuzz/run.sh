#!/usr/bin/env bash
# Builds the targets and runs them, two at a time: fuzz/run.sh [--fixed] [SECONDS [TARGET…]]
# (30 s, all of them).
#
# A run goes on from the corpus of those before it. With --fixed it begins with the seeds alone,
# by the same numbers each time: a slow machine then tries the first of what a fast one tries,
# as far as nothing depends on the order of a hash table (docs/fuzzing.md).
#
# It works on a stable toolchain, and installs cargo-fuzz where that is missing.
# What was found lies in fuzz/artifacts; a run that found something fails.
set -euo pipefail
cd "$(dirname "$0")"

is_fixed=0
if [[ ${1:-} == --fixed ]]; then
    is_fixed=1
    shift
fi
seconds=${1:-30}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
    targets=(celery contexts engine otlp_json otlp_protobuf redaction resp snapshot)
fi
system=$(rustc -vV | sed -n 's/^host: //p')
corpus=corpus

began=$SECONDS
command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz
cargo fuzz build -s none
echo "built in $((SECONDS - began)) s"
if ((is_fixed)); then
    corpus=$(mktemp -d)
    trap 'rm -rf "$corpus"' EXIT
fi
python3 seeds.py "$corpus" >/dev/null

# Each argument about where a target begins, on a line of its own.
beginning() {
    if ((is_fixed == 0)); then
        printf '%s\n' "corpus/$1"
        return
    fi
    printf '%s\n' -seed=1
    if [[ -d $corpus/$1 ]]; then
        # libFuzzer takes the files of a folder as the file system has them, a list in its order.
        find "$corpus/$1" -type f | LC_ALL=C sort | paste -sd, | tr -d '\n' >"$corpus/$1.list"
        printf '%s\n' "-seed_inputs=@$corpus/$1.list"
    fi
}

one() {
    local target=$1 dictionary=json from
    case $target in contexts | resp) dictionary=$target ;; esac
    mkdir -p "corpus/$target" "artifacts/$target"
    mapfile -t from < <(beginning "$target")
    "target/$system/release/$target" "${from[@]}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
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
