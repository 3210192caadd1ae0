#!/usr/bin/env bash
# Finds or fetches the programs the tests run against: Prometheus with promtool, Alertmanager, kubectl, headless Chromium.
# All but Chromium are unpacked from Debian's packages into a cache inside node_modules: nothing is installed,
# no service is started. Chromium needs dozens of libraries and fonts, so it is installed, and only where we are root.
# Whatever cannot be had is named; tests that need it are skipped by name (test/support/components.ts). Always exits 0.
set -uo pipefail
cd "$(dirname "$0")/.."
# Absolute on purpose: the subshells below change directory.
cache="${FULCRUM_COMPONENTS:-$PWD/node_modules/.cache/fulcrum-components}"
missing=()

has() { # has ENV_VARIABLE PROGRAM…: same order as test/support/components.ts
  local variable="$1" name
  shift
  [[ -n "${!variable:-}" && -x "${!variable}" ]] && return 0
  for name in "$@"; do
    [[ -x "$cache/usr/bin/$name" ]] && return 0
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  return 1
}

private=(-o "Dir::State::Lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache")
lists_refreshed=false
refresh_lists() { # Package lists of our own work without root; read at most once.
  $lists_refreshed && return 0
  lists_refreshed=true
  echo "setup: reading Debian's package lists" >&2
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
  timeout 300 apt-get -qq "${private[@]}" update >/dev/null 2>&1
}

download() { # download FOLDER PACKAGE APT_OPTION…
  local folder="$1" package="$2"
  shift 2
  (cd "$folder" && timeout 300 apt-get -qq "$@" download "$package" >/dev/null 2>&1)
}

fetch() { # fetch PACKAGE: download and unpack into the cache
  local package="$1" work status=1
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  work="$(mktemp -d)" || return 1
  echo "setup: fetching Debian's $package" >&2
  # The system's package lists may be missing (fresh containers) or too old.
  if download "$work" "$package" || { refresh_lists && download "$work" "$package" "${private[@]}"; }; then
    mkdir -p "$cache" && dpkg -x "$work"/*.deb "$cache" && status=0
  fi
  rm -rf "$work"
  return $status
}

install_chromium() {
  [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null || return 1
  echo "setup: installing Debian's chromium-headless-shell" >&2
  local options=(-y -qq --no-install-recommends -o DPkg::Lock::Timeout=120)
  export DEBIAN_FRONTEND=noninteractive
  timeout 600 apt-get install "${options[@]}" chromium-headless-shell fonts-dejavu-core >/dev/null 2>&1 && return 0
  timeout 300 apt-get update -qq >/dev/null 2>&1
  timeout 600 apt-get install "${options[@]}" chromium-headless-shell fonts-dejavu-core >/dev/null 2>&1
}

has FULCRUM_PROMETHEUS prometheus && has FULCRUM_PROMTOOL promtool || fetch prometheus || missing+=("prometheus and promtool")
has FULCRUM_ALERTMANAGER prometheus-alertmanager alertmanager || fetch prometheus-alertmanager || missing+=("alertmanager")
has FULCRUM_KUBECTL kubectl || fetch kubernetes-client || missing+=("kubectl")
has FULCRUM_CHROMIUM chromium-headless-shell chromium chromium-browser google-chrome || install_chromium || missing+=("chromium")

for name in ${missing[@]+"${missing[@]}"}; do
  echo "setup: $name is not here and could not be fetched; the tests that need it will be skipped by name" >&2
done
exit 0
