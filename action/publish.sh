# Shows what a session wrote to `FOLDER`, and ends with its exit code, in `code`.
# Sourced by run.sh and stop.sh.
if [ "$ANNOTATIONS" = true ] && [ -s "$FOLDER/annotations.txt" ]; then
    cat "$FOLDER/annotations.txt"
fi
if [ "$SUMMARY" = true ] && [ -s "$FOLDER/summary.md" ]; then
    cat "$FOLDER/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
status=$(grep -o '"verdict":{"status":"[a-z-]*"' "$FOLDER/report.json" 2>/dev/null | head -n 1 | cut -d'"' -f6) || true
{
    echo "status=${status:-no-evidence}"
    echo "exit-code=$code"
} >>"$GITHUB_OUTPUT"
exit "$code"
