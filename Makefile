# Two commands: `make book` makes the book, `make test` runs every test. `make help` lists the rest.

PYTHON ?= python3
PROFILE ?= cpu
COLLECTION ?= mannequin
SEEDS ?= 0
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ENGINE ?= local
GRID ?= tables

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
PAGE := book/_build/html/index.html
# Only the local engine is told how many cores there are: a cluster's profile says it itself.
SNAKEMAKE = $(BIN)/snakemake --profile profiles/$(ENGINE) $(if $(filter local,$(ENGINE)),--cores $(CORES)) \
	--config profile=$(PROFILE) collection=$(COLLECTION) seeds="$(SEEDS)" grid=$(GRID) --

.PHONY: help book test lab data grid notebooks html sync clean

help:  ## list the targets and settings
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:[^#]*## /\t/' | expand -t 12
	@echo
	@echo "Settings: PROFILE=smoke|cpu|gpu|paper ($(PROFILE))  COLLECTION=mannequin|mocap ($(COLLECTION))"
	@echo "          SEEDS=\"0 1 2\" ($(SEEDS))  CORES=n ($(CORES))  ENGINE=local|slurm|kubernetes ($(ENGINE))"
	@echo "          GRID=tables|claims ($(GRID): what the tables need, or that and what only claims need)"
	@echo "          PYTHON=python3.12 ($(PYTHON): any Python 3.11 to 3.13)"

book: $(READY)  ## install, make the data, run the grid, execute the notebooks, build the HTML book
	$(SNAKEMAKE) book
	@echo "The book is built. Open file://$(CURDIR)/$(PAGE)"

test: $(READY)  ## install, then run every test (a book is built at profile smoke where there is none)
	$(MAKE) grid PROFILE=smoke COLLECTION=mannequin SEEDS=0
	@test -f $(PAGE) || $(MAKE) book PROFILE=smoke COLLECTION=mannequin SEEDS=0
	$(BIN)/python -m pytest

lab: $(READY)  ## JupyterLab, each notebook paired with its .py
	$(BIN)/jupyter lab --notebook-dir=.

data: $(READY)  ## the datasets: mannequin, and mocap where the CMU recordings are found
	$(SNAKEMAKE) data

grid: $(READY)  ## the runs: one record each, under results/
	$(SNAKEMAKE) grid

notebooks: $(READY)  ## execute the notebooks into book/executed/
	$(SNAKEMAKE) notebooks

html: book

sync: $(READY)  ## bring each notebook's .py and .ipynb together (the newer one wins), without outputs
	$(BIN)/jupytext --sync $$(find notebooks -name '*.py' -not -path '*/.*')
	$(BIN)/jupyter nbconvert --log-level=WARN --clear-output --inplace \
		$$(find notebooks -name '*.ipynb' -not -path '*/.*')

clean:  ## remove the executed notebooks and the built book; records and data stay
	rm -rf book/_build book/executed

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked versions (once; a few minutes)"
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock \
		| { grep -v 'already satisfied' || true; }
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
