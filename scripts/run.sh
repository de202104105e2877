#!/usr/bin/env bash
# Start the shop: database, demo data, background worker, web server. Ctrl-C ends all of it.
# With arguments, run only that command in the same environment: scripts/run.sh flask --app app routes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export SUNDIAL_STARTED_AT="${SUNDIAL_STARTED_AT:-$(date +%s)}"
PORT="${PORT:-8000}"
# A demo has no mail server: its mails are read at /mail.
if [[ -z "${SUNDIAL_PRODUCTION:-}${SUNDIAL_SMTP_URL:-}" ]]; then export SUNDIAL_SHOW_MAIL="${SUNDIAL_SHOW_MAIL:-true}"; fi
PATH="$PWD/.venv/bin:$PATH"
export PORT PATH

say() { echo "sundial: $*"; }

use_secret_key() {
  [[ -z "${SUNDIAL_SECRET_KEY:-}" ]] || return 0
  local file=instance/secret_key
  if [[ ! -s "$file" ]]; then
    say "making a secret key for this machine in $file" >&2
    (umask 077 && python -c "import secrets; print(secrets.token_hex(32))" >"$file")
  fi
  chmod 600 "$file"
  SUNDIAL_SECRET_KEY="$(<"$file")"
  export SUNDIAL_SECRET_KEY
}

port_is_free() {
  python - "$PORT" <<'PY'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        sys.exit(1)
PY
}

started=()
stop() {
  trap - EXIT INT TERM
  ((${#started[@]})) || return 0
  kill -TERM "${started[@]}" 2>/dev/null || true
  wait "${started[@]}" 2>/dev/null || true
}

mkdir -p instance
use_secret_key
if (($#)); then exec "$@"; fi

if ! port_is_free; then
  say "port $PORT is in use or not allowed; choose another one, like this: PORT=8001 make run" >&2
  exit 1
fi

say "bringing the database up to date"
flask --app app db upgrade
say "loading the demo venues, if the database is empty"
flask --app app demo load --if-empty
say "the shop opens at http://127.0.0.1:$PORT (Ctrl-C ends it). Demo sign-ins:"
flask --app app demo sign-ins

trap stop EXIT
trap 'stop; say "stopped"; exit 0' INT TERM
say "starting the worker (expired holds, mail, open series)"
flask --app app worker &
worker=$!
started+=("$worker")
say "starting the web server"
gunicorn "app:create_app()" --bind "127.0.0.1:$PORT" --workers "${WEB_WORKERS:-2}" --threads 8 \
  --worker-class gthread --forwarder-headers "" --control-socket instance/gunicorn.ctl &
server=$!
started+=("$server")

# Polled, because `wait -n` is missing in the bash of macOS.
while kill -0 "$worker" 2>/dev/null && kill -0 "$server" 2>/dev/null; do
  sleep 1 &
  wait $! || true
done
if kill -0 "$server" 2>/dev/null; then ended=worker; else ended="web server"; fi
say "the $ended ended by itself, so everything stops" >&2
exit 1
