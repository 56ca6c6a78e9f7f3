# Starts a receiver for the steps that follow, and tells their SDKs where it is.
set -euo pipefail

# shellcheck source=action/options.sh
. "$ACTION/action/options.sh"
options+=(--grpc "$GRPC" --http "$HTTP" --control 127.0.0.1:0 --ready-file "$FOLDER/ready.json")
# A later step is no parent of this process, so the exit code waits in a file.
(
    code=0
    tracelink listen "${options[@]}" >"$FOLDER/report.txt" 2>"$FOLDER/log.txt" </dev/null || code=$?
    echo "$code" >"$FOLDER/code.part"
    mv "$FOLDER/code.part" "$FOLDER/code"
) >/dev/null 2>&1 &
until [ -e "$FOLDER/ready.json" ]; do
    if [ -e "$FOLDER/code" ]; then
        cat "$FOLDER/log.txt" >&2
        echo "::error title=tracelink::the receiver did not start"
        exit "$(cat "$FOLDER/code")"
    fi
    sleep 0.1
done
address() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$FOLDER/ready.json"; }
grpc=$(address grpc)
http=$(address http)
endpoint=$grpc
[ "$PROTOCOL" = grpc ] || endpoint=$http
{
    echo "OTEL_EXPORTER_OTLP_ENDPOINT=http://$endpoint"
    echo "OTEL_EXPORTER_OTLP_PROTOCOL=$PROTOCOL"
    echo "OTEL_EXPORTER_OTLP_INSECURE=true"
    echo "OTEL_TRACES_EXPORTER=otlp"
} >>"$GITHUB_ENV"
{
    echo "grpc=$grpc"
    echo "http=$http"
} >>"$GITHUB_OUTPUT"
echo "tracelink listens: gRPC on $grpc, HTTP on $http"
