#!/usr/bin/env bash
# Runs the release binaries as a new user would: serve the sample corpus, ask, restart, ask again.
# usage: tools/smoke.sh FOLDER-OF-BINARIES
set -euo pipefail
binaries=${1:?usage: tools/smoke.sh FOLDER-OF-BINARIES}
work=$(mktemp -d)
server=""
stop_server() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2> /dev/null || true
        wait "$server" || { echo "the server did not stop cleanly" >&2; return 1; }
        server=""
    fi
}
trap 'stop_server || true; rm -rf "$work"' EXIT

fail() { echo "smoke: $*" >&2; echo "--- server's output" >&2; cat "$work/server.log" >&2; exit 1; }

start_server() {
    # Port 0: the system chooses a free one, and the server says which.
    "$binaries/footnote" serve --listen 127.0.0.1:0 --data-dir "$work/data" "$@" > "$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        url=$(sed -n 's/.*listens on \(http[^ ]*\).*/\1/p' "$work/server.log")
        if [ -n "$url" ] && curl -sf "$url/readyz" | grep -q '"status":"ready"'; then return; fi
        kill -0 "$server" 2> /dev/null || fail "the server ended"
        sleep 0.1
    done
    fail "the server was not ready within a minute"
}

ask() { curl -sf "$url/chat" -H 'content-type: application/json' -d "{\"user_id\":\"user_123\",\"message\":\"$1\"}"; }
expect() { grep -q -- "$2" <<< "$1" || fail "expected $2 in: $1"; }

start_server --ingest data
answer=$(ask "What is machine learning?")
expect "$answer" '"conversation_length":2'
expect "$answer" '"session_persisted":true'
expect "$answer" '"backend":"Embedded"'
expect "$answer" 'data/machine-learning/primer.md'
stop_server

start_server
answer=$(ask "and how does it differ from deep learning?")
expect "$answer" '"conversation_length":4'
expect "$answer" 'deep learning'
stop_server

"$binaries/ingest" data --data-dir "$work/data" | grep -q unchanged || fail "a second ingest changed something"
echo "smoke: ok"
