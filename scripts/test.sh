#!/usr/bin/env bash
# Run every test on SQLite and on PostgreSQL: two runs at a time, for each waits a lot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log="$(mktemp)"
other=""
# The demo is loaded once on SQLite, in the first run, and copied by the later ones.
demo="$(mktemp -d)"
export TEST_DEMO="$demo/demo.db"
finish() {
  if [[ -n "$other" ]]; then kill -TERM "$other" 2>/dev/null || true; fi
  rm -rf "$log" "$demo"
}
trap finish EXIT
trap 'exit 130' INT TERM

run_on() { TEST_DATABASE="$1" .venv/bin/python -m pytest "${@:2}"; }
failed=0

# beside <title> <database> <arguments of pytest>: begun now, shown by `meet`
beside() {
  title="$1"
  TEST_DATABASE="$2" .venv/bin/python -m pytest "${@:3}" >"$log" 2>&1 &
  other=$!
}
meet() {
  wait "$other" || failed=1
  other=""
  echo "== $title"
  cat "$log"
}

# What knows no database runs in the quicker of the two.
echo "== Tests on SQLite, and beside them on PostgreSQL (shown when both are done)"
beside "Tests on PostgreSQL, and those without a database" postgresql --ignore tests/e2e
run_on "" --ignore tests/e2e --ignore tests/domain --ignore tests/architecture || failed=1
meet

# How a page looks to axe and to a crawler, and what a browser does with keys, drags, passkeys and a lost connection,
# is not the database's: once is enough for those.
looks=tests/e2e/test_accessibility.py
echo "== Journeys in a browser on SQLite, and beside them axe on every page (shown when both are done)"
beside "Every page by axe, on SQLite" "" "$looks"
run_on "" tests/e2e --ignore "$looks" || failed=1
echo "== Journeys in a browser, on PostgreSQL"
once=()
for walk in accessibility crawl offline passkeys roster_keys schedule; do once+=(--ignore "tests/e2e/test_$walk.py"); done
run_on postgresql tests/e2e "${once[@]}" || failed=1
meet
exit "$failed"
