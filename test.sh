#!/usr/bin/env bash
# Every check of the project: formatting, lints, all tests on real parts, and a smoke of the release binary.
# Installs what the tests need where it is missing (Debian and Ubuntu, rustup); everything else comes with cargo.
#
# All of it on the release profile: the dependencies, which take most of the time, are compiled once, and the tests run
# the very code that is shipped.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

# A variable set for one's own server must not steer the tests, or have them write into its stores. To run the vector
# stores' conformance suite on a Qdrant server on purpose:
#     QDRANT_URL=http://127.0.0.1:6334 cargo test --release -p footnote-knowledge --test conformance
unset REDIS_URL QDRANT_URL OPENAI_API_KEY OPENAI_BASE_URL
for variable in $(compgen -e FOOTNOTE_ || true); do unset "$variable"; done
# A proxy is for cargo's downloads; the servers under test are on this machine.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

install_missing() {
    local packages=()
    command -v redis-server > /dev/null || packages+=(redis-server)
    command -v curl > /dev/null || packages+=(curl)
    # The program, which is run by tests; the shell has its own.
    type -P kill > /dev/null || packages+=(procps)
    command -v cc > /dev/null || packages+=(gcc libc6-dev)
    command -v c++ > /dev/null || packages+=(g++)
    command -v make > /dev/null || packages+=(make)
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

install_missing_components() {
    local components=()
    cargo fmt --version > /dev/null 2>&1 || components+=(rustfmt)
    cargo clippy --version > /dev/null 2>&1 || components+=(clippy)
    [ ${#components[@]} -eq 0 ] && return
    if ! command -v rustup > /dev/null; then
        echo "missing: ${components[*]}; install them and run this again" >&2
        exit 1
    fi
    rustup component add "${components[@]}"
}

step "what the tests need"
install_missing
install_missing_components
redis-server --version

step "formatting"
cargo fmt --all -- --check

step "lints"
cargo clippy --release --workspace --all-targets --locked -- -D warnings

step "tests"
# Most of them wait for servers, models and deadlines most of the time.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) > 4 ? $(nproc) : 4))}"
cargo test --release --workspace --locked

step "smoke of the release binaries"
# The tests have built them already.
cargo build --release --workspace --locked
tools/smoke.sh target/release
