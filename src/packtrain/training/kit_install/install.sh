#!/bin/sh
# Installs this kit into a new environment, with no network:   sh install.sh FOLDER [PYTHON]
#
# FOLDER   where the environment goes; it must not exist yet. Afterwards FOLDER/bin/python runs the program.
# PYTHON   the interpreter to build on (default: python3). Packages that the site provides are taken from it.
#
# It needs sh and Python; sha256sum is used where it is there. uv comes out of its own wheel; a kit without that wheel
# is installed with the pip of the new environment.
set -eu

fail() {
    echo "packtrain: error: $1" >&2
    exit 80
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: sh install.sh FOLDER [PYTHON]"
kit=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
case $1 in
    /*) environment=$1 ;;
    *) environment=$(pwd)/$1 ;;
esac
python=${2:-python3}
command -v "$python" >/dev/null 2>&1 || fail "$python is not found; name the interpreter: sh install.sh FOLDER PYTHON"
[ ! -e "$environment" ] || fail "$environment exists already; remove it or name another folder"

read -r target_python target_platform <"$kit/target.txt"
found=$("$python" -I -c 'import sys, sysconfig; print("%d.%d" % sys.version_info[:2], sysconfig.get_platform().replace("-", "_"))')
[ "$found" = "$target_python $target_platform" ] ||
    fail "kit was built for another interpreter (expected Python $target_python $target_platform, found Python $found)"

if command -v sha256sum >/dev/null 2>&1; then
    # Without --quiet, which is GNU's alone: busybox would refuse the option, and the kit would look damaged.
    looked_at=$(cd "$kit" && sha256sum -c SHA256SUMS) || {
        printf '%s\n' "$looked_at" | grep -v ': OK$' >&2 || true
        fail "kit is damaged: a file differs from SHA256SUMS"
    }
fi

# No setting of this machine may point the tools at an index or a cache.
export UV_OFFLINE=1 UV_NO_INDEX=1 UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
scratch=$environment.setup
# The cache lies beside the environment, so that uv links files instead of copying them.
export UV_CACHE_DIR="$scratch/cache"

undo() {
    rm -rf "$scratch" "$environment"
}
rm -rf "$scratch"
trap 'undo; exit 80' HUP INT TERM
trap 'undo' EXIT
mkdir -p "$scratch"

uv=
for wheel in "$kit"/wheels/uv-[0-9]*.whl; do
    [ -f "$wheel" ] || continue
    "$python" -m zipfile -e "$wheel" "$scratch/uv"
    for uv in "$scratch"/uv/uv-*.data/scripts/uv; do
        chmod 755 "$uv"
    done
done

if [ -n "$uv" ]; then
    "$uv" venv --quiet --no-project --python "$python" "$environment" || fail "uv cannot make an environment"
    if [ -s "$kit/requirements.txt" ]; then
        "$uv" pip sync --quiet --offline --no-index --find-links "$kit/wheels" --require-hashes \
            --python "$environment/bin/python" "$kit/requirements.txt" || fail "uv cannot install the kit's wheels"
    fi
elif [ -s "$kit/requirements.txt" ]; then
    "$python" -m venv "$environment" || fail "$python cannot make an environment with pip, and the kit holds no wheel of uv"
    "$environment/bin/python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
        --find-links "$kit/wheels" --requirement "$kit/requirements.txt" || fail "pip cannot install the kit's wheels"
else
    "$python" -m venv --without-pip "$environment" || fail "$python cannot make an environment"
fi

# -P keeps this folder off the path of imports; PYTHONPATH stays, because sites with modules provide packages by it.
"$python" -P "$kit/link_provided.py" "$kit" "$environment" || exit 80

rm -rf "$scratch"
trap - EXIT HUP INT TERM
