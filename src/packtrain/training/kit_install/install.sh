#!/bin/sh
# Installs this kit into a new environment, with no network:   sh install.sh FOLDER [PYTHON]
#
# FOLDER   where the environment goes; it must not exist yet. Afterwards FOLDER/bin/python runs the program.
# PYTHON   the interpreter to build on (default: the kit's own, where one travels; else python3). Packages that the
#          site provides are taken from it.
#
# It needs sh and Python; sha256sum is used where it is there. uv comes out of its own wheel; without one that runs here
# the pip of the new environment installs.
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
[ ! -e "$environment" ] || fail "$environment exists already; remove it or name another folder"

if command -v sha256sum >/dev/null 2>&1; then
    # Without --quiet, which is GNU's alone: busybox would refuse the option, and the kit would look damaged.
    looked_at=$(cd "$kit" && sha256sum -c SHA256SUMS) || {
        printf '%s\n' "$looked_at" | grep -v ': OK$' >&2 || true
        fail "kit is damaged: a file differs from SHA256SUMS"
    }
fi

# The kit's own interpreter stays beside the environment, which is built on it.
home=$environment.python
if [ $# -eq 2 ]; then
    python=$2
elif [ -f "$kit/interpreter.tar.gz" ]; then
    [ ! -e "$home" ] || fail "$home exists already; remove it or name another folder"
    mkdir -p "$home"
    unpacked=yes
    tar -xzf "$kit/interpreter.tar.gz" -C "$home" || {
        rm -rf "$home"
        fail "the kit's interpreter cannot be unpacked"
    }
    python=$(find "$home" -path '*/bin/python3' | head -n 1)
    [ -n "$python" ] || python=$home/bin/python3
else
    python=python3
fi
unpacked=${unpacked:-}
give_up() {
    [ -z "$unpacked" ] || rm -rf "$home"
    fail "$1"
}
read -r target_python target_platform target_glibc <"$kit/target.txt" || true
command -v "$python" >/dev/null 2>&1 ||
    give_up "$python is not found; name an interpreter of version $target_python: sh install.sh FOLDER PYTHON"
found=$("$python" -I -c 'import sys, sysconfig; print("%d.%d" % sys.version_info[:2], sysconfig.get_platform().replace("-", "_"))')
[ "$found" = "$target_python $target_platform" ] ||
    give_up "kit was built for another interpreter (expected Python $target_python $target_platform, found Python $found)"
if [ -n "$target_glibc" ]; then
    "$python" -I -c '
import platform, sys
name, found = platform.libc_ver()
number = lambda text: [int(part) for part in text.split(".")[:2]]
sys.exit(name == "glibc" and number(found) < number(sys.argv[1]))' "$target_glibc" ||
        give_up "a wheel of the kit needs glibc $target_glibc, which is newer than this machine's"
fi

# No setting of this machine may point the tools at an index or a cache.
export UV_OFFLINE=1 UV_NO_INDEX=1 UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX UV_DEFAULT_INDEX || true
scratch=$environment.setup
# The cache lies beside the environment, so that uv links files instead of copying them.
export UV_CACHE_DIR="$scratch/cache"

undo() {
    rm -rf "$scratch" "$environment"
    [ -z "$unpacked" ] || rm -rf "$home"
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

# A base system that lacks a library of uv's has pip all the same.
if [ -n "$uv" ] && ! "$uv" --version >/dev/null 2>&1; then
    uv=
fi
how=pip
if [ -n "$uv" ]; then
    how=uv
    "$uv" venv --quiet --no-project --python "$python" "$environment" || fail "uv cannot make an environment"
    if [ -s "$kit/requirements.txt" ]; then
        "$uv" pip sync --quiet --offline --no-index --find-links "$kit/wheels" --require-hashes \
            --python "$environment/bin/python" "$kit/requirements.txt" || fail "uv cannot install the kit's wheels"
    fi
elif [ -s "$kit/requirements.txt" ]; then
    "$python" -m venv "$environment" || fail "$python cannot make an environment with pip, and the kit holds no uv that runs here"
    "$environment/bin/python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
        --find-links "$kit/wheels" --requirement "$kit/requirements.txt" || fail "pip cannot install the kit's wheels"
else
    "$python" -m venv --without-pip "$environment" || fail "$python cannot make an environment"
fi

# -P keeps this folder off the path of imports; PYTHONPATH stays, because sites with modules provide packages by it.
"$python" -P "$kit/link_provided.py" "$kit" "$environment" || exit 80
"$environment/bin/python" -I "$kit/check_installed.py" "$kit" "$how" || exit 80

rm -rf "$scratch"
trap - EXIT HUP INT TERM
