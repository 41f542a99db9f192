# Everything runs in .venv, which the targets make by themselves. `make help` lists the targets.
#
# Variables: NAME  a design or TOML file    SIM     icarus, verilator or all
#            TECH  a technology             PERIOD  clock targets in ns, with commas
#            ARGS  anything else for the command; for pytest in `make test` and `make nightly`
#            DRAWS  random designs of `make nightly`
#            NETLISTS  technologies whose netlists `make evidence` puts through the bench

PYTHON ?= python3
NAME ?=
SIM ?= all
TECH ?= generic
PERIOD ?=
DRAWS ?= 1000
NETLISTS ?= generic sky130hd
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SYNTH_NAMES := $(or $(NAME),systolic-os-mac systolic-os-opt1)

# Libraries of others, where they lie beside the checkout.
ifeq ($(BITWEIGHT_TECH_PATH),)
ifneq ($(wildcard ../shared/tech),)
export BITWEIGHT_TECH_PATH := $(abspath ../shared/tech)
endif
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all gen verify prove synth measure report test evidence nightly lint docs setup system clean distclean help

all: setup ## the main job: digits on the simulated RTL of both designs, and what they cost
	$(BIN)/python -m bitweight.demo $(ARGS)

gen: setup ## write the catalog's Verilog to gen/ (NAME=... for one design)
	$(BIN)/bitweight gen $(or $(NAME),--all) -o gen $(ARGS)

verify: setup ## run the conformance bench (NAME=..., SIM=icarus|verilator|all)
	$(BIN)/bitweight verify $(or $(NAME),--all) --sim $(SIM) $(ARGS)

prove: setup ## prove blocks for all inputs; the record is reports/proofs.json (NAME=... for one)
	$(BIN)/bitweight prove $(or $(NAME),--all) $(ARGS)

synth: setup ## synthesise and time (NAME=..., TECH=..., PERIOD=1.0,2.0)
	set -e; for name in $(SYNTH_NAMES); do \
	    $(BIN)/bitweight synth $$name --tech $(TECH) $(if $(PERIOD),--period-ns $(PERIOD)) $(ARGS); \
	done

measure: setup ## measure all designs against the best baselines (TECH=..., JSON in reports/)
	$(BIN)/bitweight measure $(if $(filter-out file,$(origin TECH)),--tech $(TECH)) $(ARGS)

report: setup ## measured.md, verification.md, pictures, a page, the README's tables: from reports/*.json
	$(BIN)/bitweight report $(ARGS)
	$(BIN)/python -m bitweight.demo.readme README.md reports

# What is left of one worker goes to the other one: the bench of the small designs is one file.
test: setup ## all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# Each small design by itself, two at a time, with a line for each; records are written by one at a
# time. What is on record and unchanged is kept, so that a run that was interrupted goes on.
EACH = small=$$($(BIN)/python -c "from bitweight.catalog import SMALL; print(*SMALL)") && \
    printf '%s\n' $$small | TERM=dumb xargs -P 2 -I DESIGN

# In the order in which what is wrong is found soonest; mutants take the longest.
evidence: setup ## all that verification.md lists: proofs, benches, netlists, tests, mutants
	$(BIN)/bitweight prove --all
	$(EACH) $(BIN)/bitweight verify DESIGN -o reports
	$(EACH) $(BIN)/bitweight verify DESIGN $(NETLISTS:%=--tech %) --trials 1 -o reports
	$(BIN)/python -m pytest -n 2 --dist worksteal --record=reports $(ARGS)
	$(BIN)/bitweight report
	$(EACH) $(BIN)/bitweight mutate DESIGN -o reports; \
	    found=$$?; $(BIN)/bitweight report && exit $$found

nightly: export BITWEIGHT_DRAWS := $(DRAWS)
nightly: evidence ## the same with 1000 random designs (DRAWS=...)

lint: setup ## ruff and mypy
	$(BIN)/ruff check hw verif tests examples docs
	$(BIN)/ruff format --check hw verif tests examples docs
	$(BIN)/mypy

docs: setup ## the site, from docs/ to build/docs
	rm -rf docs/reference/generated
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs $(ARGS)

setup: system $(STAMP) ## make .venv and install what is missing

system:
	@PYTHON=$(PYTHON) scripts/install-system

# pip 25.1 is the first that knows --group.
$(STAMP): pyproject.toml | system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]' --group dev
	@touch $@

clean: ## remove what was built, but not .venv
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find hw verif tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r target text; do printf '  make %-10s %s\n' "$$target" "$$text"; done
