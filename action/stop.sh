# Ends what `start` began, and shows its report.
set -euo pipefail

if [ ! -e "$FOLDER/ready.json" ]; then
    echo "::error title=tracelink::nothing was started: a step with \`mode: start\` comes first"
    exit 2
fi
control=$(sed -n 's/.*"control":"\([^"]*\)".*/\1/p' "$FOLDER/ready.json")
# SDKs hold spans for seconds: what is on its way is waited for, half a minute at most.
for ((waited = 0; waited < 60; waited++)); do
    report=$(curl -fsS "http://$control/report?format=json") || break
    [[ $report == *'"still on the way"'* ]] || break
    sleep 0.5
done
curl -fsS --retry 3 -X POST "http://$control/stop" >/dev/null || true
for ((waited = 0; waited < 1200; waited++)); do
    [ ! -e "$FOLDER/code" ] || break
    sleep 0.1
done
if [ ! -e "$FOLDER/code" ]; then
    cat "$FOLDER/log.txt" >&2
    echo "::error title=tracelink::the receiver did not end within two minutes"
    exit 4
fi
cat "$FOLDER/report.txt"
cat "$FOLDER/log.txt" >&2
code=$(cat "$FOLDER/code")
# shellcheck source=action/publish.sh
. "$ACTION/action/publish.sh"
