#!/usr/bin/env bash
# Run every test on SQLite and, beside it, on PostgreSQL: each waits a lot, so together they take little longer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log="$(mktemp)"
other=""
finish() {
  if [[ -n "$other" ]]; then kill -TERM "$other" 2>/dev/null || true; fi
  rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "== Tests on SQLite, and beside them on PostgreSQL (shown at the end)"
TEST_DATABASE=postgresql .venv/bin/python -m pytest "$@" >"$log" 2>&1 &
other=$!
failed=0
TEST_DATABASE="" .venv/bin/python -m pytest "$@" || failed=1
echo "== Tests on PostgreSQL"
wait "$other" || failed=1
other=""
cat "$log"
exit "$failed"
