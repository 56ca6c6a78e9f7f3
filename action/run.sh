# Runs the command under a receiver of its own.
set -euo pipefail

if [ -z "$COMMAND" ]; then
    echo "::error title=tracelink::say what to run: \`command: pytest -q\`"
    exit 2
fi
# shellcheck source=action/options.sh
. "$ACTION/action/options.sh"
code=0
tracelink listen "${options[@]}" -- bash -eo pipefail -c "$COMMAND" || code=$?
# shellcheck source=action/publish.sh
. "$ACTION/action/publish.sh"
