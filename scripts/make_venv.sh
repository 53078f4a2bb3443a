#!/usr/bin/env bash
# Makes the virtual environment: make_venv.sh PYTHON FOLDER. Says in one line what is missing where it cannot.
set -euo pipefail
python=$1 folder=$2

fail() { echo "packtrain: error: $1" >&2; exit 1; }

command -v "$python" >/dev/null || fail "$python is not found; install Python 3.11 or newer, or call make PYTHON=/path/to/python3"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "Python 3.11 or newer is needed, $python is $version; call make PYTHON=/path/to/python3.11"

# Debian and Ubuntu ship Python without ensurepip, which venv needs for pip.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  bash "$(dirname "$0")/system_packages.sh" --always "python$version-venv"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python cannot make virtual environments; install python$version-venv"
fi
"$python" -m venv "$folder"
