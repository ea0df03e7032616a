#!/usr/bin/env bash
# Every check of the project: formatting, lints, all tests on real parts, and a smoke of the release binary.
# Installs what the tests need where it is missing (Debian and Ubuntu); everything else comes with cargo.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

# A variable set for one's own server must not steer the tests.
unset REDIS_URL OPENAI_API_KEY OPENAI_BASE_URL
for variable in $(compgen -e FOOTNOTE_ || true); do unset "$variable"; done

install_missing() {
    local packages=()
    command -v redis-server > /dev/null || packages+=(redis-server)
    command -v curl > /dev/null || packages+=(curl)
    command -v cc > /dev/null || packages+=(gcc libc6-dev)
    command -v c++ > /dev/null || packages+=(g++)
    [ ${#packages[@]} -eq 0 ] && return
    if ! command -v apt-get > /dev/null; then
        echo "missing: ${packages[*]}; install them and run this again" >&2
        exit 1
    fi
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo apt-get update -qq
    # The package starts a server of its own where it can; the tests start theirs and need no other.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

step "what the tests need"
install_missing
redis-server --version

step "formatting"
cargo fmt --all -- --check

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "tests"
cargo test --workspace --locked

step "release build"
cargo build --release --workspace --locked

step "smoke of the release binary"
tools/smoke.sh target/release
