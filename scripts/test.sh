#!/usr/bin/env bash
# Run every test on SQLite and on PostgreSQL. Those without a browser run side by side, for they wait a lot; browsers want the machine to themselves.
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

run_on() { TEST_DATABASE="$1" .venv/bin/python -m pytest "${@:2}"; }
failed=0

echo "== Tests on SQLite, and beside them on PostgreSQL (shown when both are done)"
TEST_DATABASE=postgresql .venv/bin/python -m pytest --ignore tests/e2e >"$log" 2>&1 &
other=$!
run_on "" --ignore tests/e2e || failed=1
wait "$other" || failed=1
other=""
echo "== Tests on PostgreSQL"
cat "$log"
echo "== Tests in a browser, on SQLite"
run_on "" tests/e2e || failed=1
echo "== Journeys in a browser, on PostgreSQL"
# How a page looks to axe and to a crawler is not the database's: once is enough for those two walks.
run_on postgresql tests/e2e --ignore tests/e2e/test_accessibility.py --ignore tests/e2e/test_crawl.py || failed=1
exit "$failed"
