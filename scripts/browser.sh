#!/usr/bin/env bash
# See to it that the browser tests have a Chromium: one that is here, else apt's, else Playwright's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

found() {
  local browser="${SUNDIAL_CHROMIUM:-$(command -v chromium || true)}"
  [[ -n "$browser" && -x "$browser" ]] && echo "Browser: using $browser"
}

install_by_apt() {
  command -v apt-get >/dev/null || return 1
  local as_root=(env DEBIAN_FRONTEND=noninteractive)
  if [[ "$(id -u)" != 0 ]]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n "${as_root[@]}")
  fi
  echo "Browser: none found, installing chromium with apt-get (about 20 seconds)"
  "${as_root[@]}" apt-get -qq update &&
    "${as_root[@]}" apt-get -qq install -y --no-install-recommends chromium >/dev/null
}

if [[ -n "${SUNDIAL_CHROMIUM:-}" && ! -x "$SUNDIAL_CHROMIUM" ]]; then
  echo "Browser: SUNDIAL_CHROMIUM is $SUNDIAL_CHROMIUM, but there is no program there." >&2
  exit 1
fi
found && exit
install_by_apt && found && exit

echo "Browser: apt-get cannot give one here, so Playwright downloads its own Chromium"
exec .venv/bin/python -m playwright install chromium
