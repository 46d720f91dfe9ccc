# make setup | adapt | test | lint | bench | soak | faults | guard | results | clean.  A second run is a no-op (stamp files).
# Settings: PYTHON=python3.12   TORCH=auto|cpu|cuda   SUDO=1 (let it call apt-get)   ARGS="task:=7 episodes:=10"
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup setup-test adapt test lint pytest test-realtime bench soak faults guard mutants results export-check constraints clean crash-test bench-panel teach teach-test teach-to-train fuzz pictures

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
TORCH ?= auto
ARGS ?=
# Compiled when first imported: most of what a package holds never is.
PIP := $(PY) -m pip --disable-pip-version-check install --no-compile --quiet --quiet --constraint constraints.txt
MSGS := $(shell find ros2_ws/src/gmps_msgs -type f -not -name '*.md')
# Read by tests and benchmarks: one thread per process, nodes seen by this machine alone.
export OMP_NUM_THREADS ?= 1
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
# As some images set it: every node would compile all of its packages at each start, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

help:
	@sed -n '1,2s/^# //p' Makefile
	@echo 'make adapt       set everything up and adapt the shipped policy to a held-out task, on the twin, through ROS 2'
	@echo 'make teach       the same stack for a person at the panel: drive the arm, record, judge'
	@echo 'make test        set everything up, then lint and all tests that a busy machine passes too'
	@echo 'make test-realtime  stops, rates and whole stacks, which need a machine that does little else'
	@echo 'make lint        ruff, mypy --strict, import contracts'
	@echo 'make bench       the speed figures of docs/results.md'
	@echo 'make bench-panel key to command, camera to screen, control loop beside two browsers'
	@echo 'make teach-test  a scripted operator teaches through the page, in a browser, on the twin'
	@echo 'make teach-to-train the same, then GMPS and imitation trained from it and compared on held-out goals'
	@echo 'make crash-test  the recorder killed at 100 random points: what is lost'
	@echo 'make soak        ten minutes on the emulated arm: deadlines, memory, threads, sockets'
	@echo 'make guard       100 000 adversarial steps against the limits'
	@echo 'make mutants     each limit loosened in turn: which test notices it'
	@echo 'make fuzz        the whole API of the panel, every route as every role'
	@echo 'make faults      every fault of docs/safety.md, injected and measured'
	@echo 'make results     the learning figures of docs/results.md (hours)'
	@echo 'make export-check exported data sets, opened with the own loaders of robomimic and lerobot'
	@echo 'make constraints write the installed versions to constraints.txt'
	@echo 'make clean       remove what was built here, .venv included'

setup: $(STAMPS)/msgs

setup-test: setup $(STAMPS)/dev

$(STAMPS)/apt: scripts/apt_check.py scripts/find_python.sh
	@"$$(scripts/find_python.sh)" scripts/apt_check.py
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/apt-test: scripts/apt_check.py | $(STAMPS)/apt
	@"$$(scripts/find_python.sh)" scripts/apt_check.py --test
	@touch $@

$(STAMPS)/apt-peers: scripts/apt_check.py | $(STAMPS)/apt
	@"$$(scripts/find_python.sh)" scripts/apt_check.py --peers
	@touch $@

$(STAMPS)/venv: | $(STAMPS)/apt
	@echo 'making $(VENV)'
	@"$$(scripts/find_python.sh)" -m venv $(VENV)
	@touch $@

$(STAMPS)/torch-$(TORCH): scripts/install_torch.py | $(STAMPS)/venv
	@$(PY) scripts/install_torch.py $(TORCH)
	@touch $@

$(STAMPS)/deps: pyproject.toml constraints.txt ros2_ws/src/gmps_robot/setup.py $(STAMPS)/torch-$(TORCH)
	@echo 'installing packages and ROS 2 wheels (a few minutes the first time)'
	@$(PIP) --editable '.[sim,calibration,data,export,panel,sawyer,ros,ros-build]'
	@$(PIP) --no-deps --no-build-isolation --editable ros2_ws/src/gmps_robot
	@touch $@

$(STAMPS)/msgs: $(MSGS) scripts/build_msgs.py | $(STAMPS)/deps
	@$(PY) scripts/build_msgs.py
	@touch $@

$(STAMPS)/dev: pyproject.toml constraints.txt scripts/browser.py | $(STAMPS)/msgs $(STAMPS)/apt-test
	@echo 'installing the test tools'
	@$(PIP) --editable '.[dev,postgres]'
	@$(PY) scripts/browser.py > $(STAMPS)/chromium
	@touch $@

adapt: setup
	@$(PY) -m gmps_robot_nodes.bringup $(ARGS)

teach: setup
	@$(PY) -m gmps_robot_nodes.bringup session:=teach $(ARGS)

# None of these asks the machine to keep real time, so they share its cores, three at a time as many wait;
# what fails is run twice more, and is named.
test: setup-test
	$(MAKE) --jobs 2 lint pytest

lint: setup-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

IN_BROWSER := CHROMIUM="$$(cat $(STAMPS)/chromium)"
pytest: setup-test
	$(IN_BROWSER) $(VENV)/bin/pytest -n 3 --dist loadfile -m 'not realtime' --timeout 300 --reruns 2 -rR $(ARGS)

# Stops within milliseconds, rates, dead-men, whole stacks: a machine that stands still for some tenths of a second fails them.
# In two runs, for Playwright wants one browser at a time; the second one is made whatever came of the first.
test-realtime: setup-test
	failed=0; \
	for place in tests/panel '--ignore tests/panel'; do \
	    $(IN_BROWSER) $(VENV)/bin/pytest -m realtime --reruns 1 -rR $$place $(ARGS) || failed=1; \
	done; \
	exit $$failed

bench: setup-test
	@mkdir -p runs/bench
	for script in benchmarks/bench_*.py; do $(PY) "$$script" --json "runs/bench/$$(basename "$$script" .py).json"; done

# Requests per route and role; minutes.
FUZZ_EXAMPLES ?= 100
fuzz: setup-test
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(VENV)/bin/pytest tests/panel/test_fuzz.py $(ARGS)

# ARGS="--points 10" for a short one.
crash-test: setup-test
	@mkdir -p runs/bench
	$(PY) benchmarks/crash_test.py --json runs/bench/crash_test.json $(ARGS)

bench-panel: setup-test
	@mkdir -p runs/bench
	$(IN_BROWSER) $(PY) -m benchmarks.bench_panel --json runs/bench/bench_panel.json $(ARGS)

# ARGS="--tasks 20 --per-task 3". What is kept lies in runs/teach/data, as if a person had taught it.
teach-test: setup-test
	@mkdir -p runs/teach
	$(IN_BROWSER) $(PY) -m benchmarks.teach --data runs/teach/data --json runs/teach/teach.json $(ARGS)

# From those demonstrations alone: GMPS against MultiTask Imitation on held-out goals.
teach-to-train: teach-test
	$(PY) benchmarks/teach_to_train.py --data runs/teach/data --json runs/teach/teach_to_train.json

# The pictures of the pages that tell the stories.
pictures: setup-test
	PICTURES=docs/images $(IN_BROWSER) $(VENV)/bin/pytest tests/panel -k "teach_review or comparison or judges_and_puts or how_it_learned or statistics_follow or until_the_page"

# Resumable: a stopped run goes on where it stopped.
results: setup
	$(PY) scripts/results.py $(ARGS)

# Twin steps come on top: a sixth of this number at each of two rates.
guard: setup-test
	GUARD_STEPS=100000 $(VENV)/bin/pytest --timeout 3000 tests/unit/test_guard_properties.py tests/sim/test_guard_on_twin.py

mutants: setup-test
	$(PY) scripts/guard_mutants.py $(ARGS)

# ARGS="--minutes 1" for a short one.
soak: setup-test
	@mkdir -p runs/bench
	$(PY) benchmarks/soak.py --json runs/bench/soak.json $(ARGS)

# Every fault of docs/safety.md into the running stack, measured; needs a machine that does little else (a quarter of an hour).
faults: setup-test
	@mkdir -p runs/faults
	$(PY) -m benchmarks.faults --json runs/faults/faults.json $(ARGS)

# robomimic and lerobot come into environments of their own, below build/peers.
export-check: setup-test $(STAMPS)/apt-peers
	$(PY) benchmarks/exports/check.py

constraints: setup-test
	$(PY) scripts/write_constraints.py

clean:
	rm -rf $(VENV) build install log .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
