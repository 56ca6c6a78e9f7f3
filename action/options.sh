# The options of `tracelink listen` that the inputs stand for, in the array `options`.
# Sourced by run.sh and start.sh.
rm -rf "$FOLDER"
mkdir -p "$FOLDER"
options=(
    --save "$FOLDER/bundle"
    --output "json=$FOLDER/report.json"
    --output "markdown=$FOLDER/summary.md"
    --output "github=$FOLDER/annotations.txt"
)
if [ -n "$BROKER" ]; then
    # By the environment, since whoever lists processes reads a command line.
    export TRACELINK_BROKER=$BROKER
    [ "$BROKER_MONITOR" != true ] || options+=(--broker-monitor)
fi
[ -z "$EXPECT_HANDOFFS" ] || options+=(--expect-handoffs "$EXPECT_HANDOFFS")
[ -z "$FAIL_ON" ] || options+=(--fail-on "$FAIL_ON")
while IFS= read -r option; do
    [ -z "$option" ] || options+=("$option")
done <<<"$OPTIONS"
