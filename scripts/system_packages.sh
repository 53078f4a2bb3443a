#!/usr/bin/env bash
# Installs Debian packages whose command is missing: system_packages.sh COMMAND=PACKAGE ... | --always PACKAGE ...
# As root with apt-get it installs them; elsewhere, or where that fails, it names them in one line and goes on (exit 0):
# what cannot do without them says so itself.
set -euo pipefail

packages=()
if [[ ${1:-} == --always ]]; then
  shift
  packages=("$@")
else
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
fi
[[ ${#packages[@]} -gt 0 ]] || exit 0

ask() { echo "packtrain: please install: ${packages[*]}  (Debian, Ubuntu: sudo apt-get install ${packages[*]})" >&2; }

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  ask
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing ${packages[*]} with apt-get" >&2
install=(apt-get install -y -qq --no-install-recommends "${packages[@]}")
# A fresh machine has no package lists yet: the first try then fails at once, and the lists are fetched.
"${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; } || ask
