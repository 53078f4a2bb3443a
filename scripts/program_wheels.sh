#!/usr/bin/env bash
# Fetch the wheels of the programs in examples/, each held against its lock, and add those of packtrain's own kit.
#
#   program_wheels.sh PYTHON KIT_WHEELS INTO
set -euo pipefail
python=$1 kit_wheels=$2 into=$3
for lock in examples/*/requirements.lock; do
    name=$(basename "$(dirname "$lock")")
    stamp="$into/$name/.$(sha256sum "$lock" | cut -c1-16)"
    if [ -e "$stamp" ]; then continue; fi
    echo "fetching the wheels of $name"
    rm -rf "${into:?}/$name"
    mkdir -p "$into/$name"
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$python" -m pip download --quiet --no-deps --require-hashes --only-binary=:all: \
        --requirement "$lock" --dest "$into/$name"
    for wheel in "$kit_wheels"/*.whl; do
        project=$(basename "$wheel" | cut -d- -f1)
        # A kit has one wheel of a project; packtrain's own is made by the test.
        if [ "$project" != packtrain ] && ! compgen -G "$into/$name/$project-*" > /dev/null; then
            cp "$wheel" "$into/$name/"
        fi
    done
    touch "$stamp"
done
