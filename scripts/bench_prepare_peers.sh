#!/usr/bin/env bash
# Installs what `packtrain prepare`, the loader and the compression of weights are measured beside:
# bench_prepare_peers.sh PYTHON FOLDER [SITE_PACKAGES]. Everything goes into a virtual environment of its own. torch,
# which some of them import, is taken from SITE_PACKAGES (the project's): that folder is only looked into, after this
# environment's own packages. What cannot be had is named, and left out of the figures.
set -uo pipefail
python=$1 folder=$2 project=${3:-}
here=$(dirname "${BASH_SOURCE[0]}")

[[ -x $folder/bin/pip ]] || bash "$here/make_venv.sh" "$python" "$folder" || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1
started=$SECONDS
want() { # want STAMP PIP_ARGUMENTS...
  local stamp=$folder/.stamps/$1
  shift
  [[ -e $stamp ]] && return
  # What pip says of requirements that were left out on purpose is no news.
  if said=$("$folder/bin/pip" install --quiet "$@" 2>&1); then
    mkdir -p "$folder/.stamps" && touch "$stamp"
  else
    echo "${said##*$'\n'}" >&2
    echo "cannot be installed: $*" >&2
  fi
}
want daft daft==0.7.26
want ray 'ray[data]==2.60.0'
want pool ImageHash==4.3.2 'pillow>=13'
want webdataset webdataset==1.0.2
# Both ask for torchvision, the first also for transformers and for the libraries of four clouds (889 MB), none of which
# a local folder needs. bench/prepare/read_shards.py puts empty modules in the place of torchvision and transformers.
want streaming --no-deps mosaicml-streaming==0.13.0 Brotli==1.2.0 python-snappy==0.7.3 cramjam==2.11.0 zstd==1.5.7.2 \
  catalogue==2.0.10 xxhash==3.6.0
want litdata --no-deps litdata==0.2.76 lightning-utilities==0.15.2 boto3==1.44.8 botocore==1.44.8 s3transfer==0.19.3 \
  jmespath==1.1.0
# Built from its source, which takes a C compiler: pip's --only-binary would quietly bring 0.1.1, another program.
want zipnn --no-deps --no-binary zipnn zipnn==0.5.4
[[ -z $project ]] || echo "$project" > "$("$folder/bin/python" -c 'import site; print(site.getsitepackages()[0])')/project.pth"
((SECONDS - started < 5)) || echo "installed in $((SECONDS - started)) s, $(du -sm "$folder" | cut -f1) MB" >&2
exit 0
