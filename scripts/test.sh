#!/usr/bin/env bash
# Check, and run every test on SQLite and on PostgreSQL, in parts side by side, the longest first, so that two
# processors are busy to the end. What a part says is shown when it is done; where the check fails, the rest is not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work="$(mktemp -d)"
# Dozens of processes are started here: each may keep what Python compiled for the next.
export PYTHONDONTWRITEBYTECODE=
# The demo is loaded once on SQLite, by the first that wants it, and copied by the others.
export TEST_DEMO="$work/demo.db"
running=()
finish() {
  for part in "${running[@]:-}"; do [[ -z "$part" ]] || kill -TERM "$part" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

failed=0
check="Lint, formats, types, layers, templates"
declare -A title_of

places=3 # a part waits now and then, for the database or for its own races
# part <title> <command>: begun as soon as a place is free
part() {
  while ((${#running[@]} >= places)); do meet_one; done
  "${@:2}" >"$work/${1//[^a-zA-Z]/}" 2>&1 &
  running+=("$!")
  title_of[$!]="$1"
  echo "== $(date +%T) Begun: $1"
}
meet_one() {
  local done_id="" left=() status=0
  wait -n -p done_id "${running[@]}" || status=1
  ((status == 0)) || failed=1
  for id in "${running[@]}"; do [[ "$id" == "$done_id" ]] || left+=("$id"); done
  running=("${left[@]}")
  echo "== $(date +%T) Done: ${title_of[$done_id]}"
  cat "$work/${title_of[$done_id]//[^a-zA-Z]/}"
  if ((status)) && [[ "${title_of[$done_id]}" == "$check" ]]; then exit 1; fi
}
on() { TEST_DATABASE="$1" exec .venv/bin/python -m pytest "${@:2}"; }

axe=tests/e2e/test_accessibility.py
queue=tests/services/test_waiting_machine.py
# How a page looks to axe and to a crawler, and what a browser does with keys, drags, passkeys and a lost connection,
# is not the database's: once is enough for those. What knows no database at all runs once, too.
once=()
for walk in accessibility crawl offline passkeys roster_keys schedule; do once+=(--ignore "tests/e2e/test_$walk.py"); done

deeds=(tests/services tests/race)
no_deeds=(--ignore tests/e2e --ignore tests/services --ignore tests/race)
part "$check" make -s check
part "Pages, API and rules, on PostgreSQL" on postgresql "${no_deeds[@]}"
part "Services and races, on PostgreSQL" on postgresql "${deeds[@]}"
part "Services and races, on SQLite" on "" "${deeds[@]}" --ignore "$queue"
part "Pages and API, on SQLite" on "" "${no_deeds[@]}" --ignore tests/domain --ignore tests/architecture
part "Ten thousand steps of waiting lists, on SQLite" on "" "$queue"
places=2 # a browser is several processes
part "Every page by axe, on SQLite" on "" "$axe"
part "Journeys in a browser, on SQLite" on "" tests/e2e --ignore "$axe"
part "Journeys in a browser, on PostgreSQL" on postgresql tests/e2e "${once[@]}"
while ((${#running[@]} > 0)); do meet_one; done
exit "$failed"
