# Shows what a session wrote to `FOLDER`, and ends with its exit code, in `code`.
# Sourced by run.sh and stop.sh.
if [ "$ANNOTATIONS" = true ] && [ -s "$FOLDER/annotations.txt" ]; then
    cat "$FOLDER/annotations.txt"
fi
if [ "$SUMMARY" = true ] && [ -s "$FOLDER/summary.md" ]; then
    cat "$FOLDER/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
# A runner need not have jq. The verdict comes before anything that a stranger has written.
status=
if [ -s "$FOLDER/report.json" ]; then
    status=$(tr -d ' \n' <"$FOLDER/report.json" | grep -o '"verdict":{"status":"[a-z-]*"' | head -n 1 | cut -d'"' -f6) || true
fi
{
    echo "status=${status:-no-evidence}"
    echo "exit-code=$code"
} >>"$GITHUB_OUTPUT"
exit "$code"
