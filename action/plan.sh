# Says what the other steps of the action need: where things go, and how tracelink gets there.
set -euo pipefail

# shellcheck source=action/sum.sh
. "$ACTION/action/sum.sh"

case $TRACELINK_MODE in run | start | stop | install) ;; *)
    echo "::error title=tracelink::mode is \`run\`, \`start\`, \`stop\` or \`install\`, not \`$TRACELINK_MODE\`"
    exit 2
    ;;
esac
# Two jobs of one machine have folders of their own, and `stop` finds that of `start`.
folder=$RUNNER_TEMP/tracelink
install=$TRACELINK_FROM
case $install in
release | source) [ "$TRACELINK_MODE" != stop ] || install=no ;;
path) install=no ;;
*)
    echo "::error title=tracelink::from is \`release\`, \`source\` or \`path\`, not \`$install\`"
    exit 2
    ;;
esac
# What a build reads.
key=$(cd "$ACTION" && find Cargo.toml Cargo.lock build.rs src docs/tried-fixes.json -type f -print0 |
    LC_ALL=C sort -z | xargs -0 cat | sum - | cut -c1-32)
mkdir -p "$folder"
{
    echo "folder=$folder"
    echo "bin=$RUNNER_TEMP/tracelink-bin"
    echo "install=$install"
    echo "key=$key"
} >>"$GITHUB_OUTPUT"
