#!/usr/bin/env bash
# Runs the release binaries as a new user would: serve the sample corpus, ask, restart, ask again.
# usage: tools/smoke.sh FOLDER-OF-BINARIES
set -euo pipefail
binaries=$(realpath "${1:?usage: tools/smoke.sh FOLDER-OF-BINARIES}")
documents=$(realpath "$(dirname "$0")/../data")
work=$(mktemp -d)
# Neither the settings of one's own server, in the environment or in a .env of the checkout, nor its stores.
unset REDIS_URL QDRANT_URL OPENAI_API_KEY OPENAI_BASE_URL
for variable in $(compgen -e FOOTNOTE_ || true); do unset "$variable"; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
cd "$work"
server=""
stop_server() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2> /dev/null || true
        wait "$server" || { echo "the server did not stop cleanly" >&2; return 1; }
        server=""
    fi
}
trap 'stop_server || true; cd /; rm -rf "$work"' EXIT

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
ingest_again() {
    local summary
    summary=$("$binaries/ingest" "$documents" --data-dir "$work/data") || fail "a second ingest failed: $summary"
    grep -Eq ' 0 added, 0 updated, [1-9][0-9]* unchanged, .* 0 failed' <<< "$summary" || fail "a second ingest changed something: $summary"
}
expect() { grep -q -- "$2" <<< "$1" || fail "expected $2 in: $1"; }

start_server --ingest "$documents"
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
# Once through the server, which has the folder, and once into the folder.
ingest_again
stop_server
ingest_again
echo "smoke: ok"
