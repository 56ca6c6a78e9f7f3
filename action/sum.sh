# SHA-256 by whichever program the runner has: macOS has no `sha256sum` before version 15.
# Sourced by plan.sh and install.sh.
sum() {
    if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}
