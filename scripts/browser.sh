#!/usr/bin/env bash
# See to it that the browser tests have a Chromium. Best is the one without windows: it does half the work of the
# whole one, which serves as well. One that is here, else apt's, else Playwright's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

use() {
  local browser
  browser="$(command -v "$1")" && echo "Browser: using $browser"
}

install_by_apt() {
  command -v apt-get >/dev/null || return 1
  local as_root=(env DEBIAN_FRONTEND=noninteractive)
  if [[ "$(id -u)" != 0 ]]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n "${as_root[@]}")
  fi
  "${as_root[@]}" apt-get -qq update || return 1
  # Not every release has it: then its name is unknown here.
  apt-cache show "$1" >/dev/null 2>&1 || return 1
  echo "Browser: installing $1 with apt-get (about 20 seconds)"
  "${as_root[@]}" apt-get -qq install -y --no-install-recommends "$1" >/dev/null
}

if [[ -n "${SUNDIAL_CHROMIUM:-}" ]]; then
  use "$SUNDIAL_CHROMIUM" && exit
  echo "Browser: SUNDIAL_CHROMIUM is $SUNDIAL_CHROMIUM, but there is no program there." >&2
  exit 1
fi
use chromium-headless-shell && exit
install_by_apt chromium-headless-shell && use chromium-headless-shell && exit
use chromium && exit
install_by_apt chromium && use chromium && exit

echo "Browser: apt-get cannot give one here, so Playwright downloads its own Chromium"
exec .venv/bin/python -m playwright install chromium
