#!/usr/bin/env bash
# What Ray Train needs beside Ray and torch, which are the project's: bench_cluster_peers.sh PYTHON FOLDER SITE_PACKAGES.
# The packages go into a virtual environment of their own, which looks into SITE_PACKAGES after them.
set -uo pipefail
python=$1 folder=$2 project=$3
here=$(dirname "${BASH_SOURCE[0]}")

[[ -x $folder/bin/pip ]] || bash "$here/make_venv.sh" "$python" "$folder" || exit 1
[[ -e $folder/.stamps/ray-train ]] && exit 0
if said=$("$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps pydantic==2.14.4 pydantic-core==2.50.5 \
  annotated-types==0.8.0 typing-inspection==0.4.5 tensorboardX==2.6.5 2>&1); then
  mkdir -p "$folder/.stamps" && touch "$folder/.stamps/ray-train"
else
  echo "${said##*$'\n'}" >&2
  echo "cannot be installed: what Ray Train needs; it is left out" >&2
fi
echo "$project" > "$("$folder/bin/python" -c 'import site; print(site.getsitepackages()[0])')/project.pth"
exit 0
