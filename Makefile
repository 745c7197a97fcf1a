# What can be done here. `make demo` and `make test` need root, and bring what they need.
.PHONY: help setup demo test style types unit promtool system bench chaos mutants dashboards docs lock rewrite clean
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
NAME ?= failover
# What the lab and the virtual environment need of Debian. Daemons come by tools/parts.sh, which installs nothing.
PACKAGES := ca-certificates iproute2 nftables procps python3-venv util-linux wireguard-go wireguard-tools

# What measures, or tells by the clock. All else shares nothing and may run two at a time, the slowest first.
ALONE := tests/bench tests/chaos tests/wgfleet/cli/doctor
SLOWEST := tests/deploy tests/mutants tests/system tests/replicas
SIDE_BY_SIDE := $(SLOWEST) $(filter-out $(SLOWEST) $(ALONE),$(patsubst %/,%,$(wildcard tests/*/ tests/test_*.py)))

help: ## this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: .venv/.ready .parts/.ready ## system packages, Debian's daemons unpacked into .parts, a virtual environment

# Package lists first: those of an old image name versions that are gone.
.packages:
	@if ! dpkg-query -W $(PACKAGES) >/dev/null 2>&1; then \
	    $(SUDO) apt-get update -qq && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES); fi
.PHONY: .packages

.venv/.ready: requirements/dev.txt pyproject.toml | .packages
	python3 -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.parts/.ready: tools/parts.sh | .packages
	$(SUDO) apt-get update -qq
	tools/parts.sh
	touch $@

.parts3/.ready: tools/prometheus3.sh | .packages
	tools/prometheus3.sh
	touch $@

# Not a file: it is installed, or not, whatever was made here.
.browser: | .packages
	@tools/browser.sh
.PHONY: .browser

demo: setup ## the story of a failover, live; KEEP=1 leaves it running
	@$(PYTHON) -m tests.lab.demo $(if $(KEEP),--keep)

test: setup .parts3/.ready .browser style types ## everything: style, types, unit, promtool, end-to-end
	@status=0; \
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(ALONE)) $(SIDE_BY_SIDE) || status=1; \
	$(PYTHON) -m pytest $(ALONE) || status=1; \
	exit $$status

style: setup ## ruff
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: setup ## mypy --strict
	.venv/bin/mypy

unit: setup ## the tests that need neither root nor other programs
	$(PYTHON) -m pytest -m 'not system'

promtool: setup .parts3/.ready ## the alert rules against their stories
	$(PYTHON) -m pytest tests/deploy

system: setup ## the tests on real WireGuard
	$(PYTHON) -m pytest -m system

bench: setup ## one bench: NAME=failover INTERVAL=1s RUNS=20; NAME=vantage INTERVAL=1s SECONDS=60; NAME=exporter;
# NAME=local RUNS=60 SECONDS=300; NAME=drain MOVES=100; NAME=ingest; NAME=fanout WATCHERS=10000; NAME=poll SECONDS=5; NAME=acks; NAME=sync;
# NAME=mqtt WATCHERS=10000 RUNS=20; NAME=footprint SECONDS=60; NAME=sequences COUNT=10000; NAME=live RUNS=20 APPLY=restart; NAME=reconnect;
# NAME=dns RUNS=5; NAME=replicas RUNS=3; NAME=placement COUNT=1000000; NAME=sizes
	@$(PYTHON) -m tests.bench $(NAME) $(if $(INTERVAL),--interval $(INTERVAL)) $(if $(RUNS),--runs $(RUNS)) \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(WAYS),--ways $(WAYS)) $(if $(COUNT),--count $(COUNT)) \
	    $(if $(WATCHERS),--watchers $(WATCHERS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	    $(if $(MOVES),--moves $(MOVES)) $(if $(APPLY),--apply $(APPLY))

mutants: setup ## every rule broken in every way, one at a time: do the stories notice?
	@$(PYTHON) -m tests.mutants

chaos: setup ## a receiver killed at random moments under load: is all there that was answered? COUNT=200
	@$(PYTHON) -m tests.chaos kills $(if $(COUNT),--count $(COUNT))

dashboards: setup ## deploy/grafana anew, from tools/dashboards
	$(PYTHON) -m tools.dashboards

docs: setup ## docs/metrics.md, docs/receiver.md and the state diagram in ARCHITECTURE.md anew
	$(PYTHON) -m tools.metrics > docs/metrics.md
	$(PYTHON) -m tools.settings > docs/receiver.md
	$(PYTHON) -m tools.diagram

rewrite: setup ## the failover stories as they now are; read the diff
	WGFLEET_REWRITE=1 $(PYTHON) -m pytest -q tests/failover_receiver/test_core.py tests/client_sync/test_core.py \
	    tests/failover_receiver/test_reach.py tests/deploy/test_mistakes.py || true

lock: setup ## the pinned requirement files anew
	tools/lock.sh

clean: ## what setup made here
	rm -rf .venv .parts .parts3
