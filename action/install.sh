# Puts tracelink on the PATH: `release` downloads this version's binary and checks its sum,
# `source` builds it, unless a cache has brought it already.
set -euo pipefail

# shellcheck source=action/sum.sh
. "$ACTION/action/sum.sh"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ACTION/Cargo.toml" | head -n 1)

release() {
    # The runner keeps an action in `_actions/OWNER/REPOSITORY/REF`. What it says of itself in
    # variables is empty in composite actions (actions/runner#2473).
    local from=${ACTION##*/_actions/} repository target name url
    repository=$(cut -d/ -f1-2 <<<"$from")
    if [ "$from" = "$ACTION" ]; then
        echo "::error title=tracelink::an action of this very repository has no release: say \`from: source\`"
        exit 1
    fi
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
    Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *)
        echo "::error title=tracelink::no binary is released for $(uname -s) on $(uname -m): say \`from: source\`"
        exit 1
        ;;
    esac
    name=tracelink-$version-$target
    url=${GITHUB_SERVER_URL:-https://github.com}/$repository/releases/download/v$version
    cd "$RUNNER_TEMP"
    if ! curl -fsSL --retry 3 -O "$url/$name.tar.gz" -O "$url/SHA256SUMS"; then
        echo "::error title=tracelink::cannot download $url/$name.tar.gz: is $version released? Otherwise say \`from: source\`"
        exit 1
    fi
    grep " $name.tar.gz\$" SHA256SUMS | sum --check --quiet --strict
    mkdir -p "$BIN"
    tar -xzf "$name.tar.gz" -C "$BIN" --strip-components 1 "$name/tracelink"
}

source_build() {
    [ -x "$BIN/tracelink" ] && return
    cargo install --locked --path "$ACTION" --root "$RUNNER_TEMP/tracelink-build"
    mkdir -p "$BIN"
    mv "$RUNNER_TEMP/tracelink-build/bin/tracelink" "$BIN/"
}

case $1 in release) release ;; source) source_build ;; esac
"$BIN/tracelink" --version
echo "$BIN" >>"$GITHUB_PATH"
