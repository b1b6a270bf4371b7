# A comment behind a target is its line in `make help`.
ITER ?= 1
DEVICE ?= $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)

# The stamp's name holds everything that the environment was made from: where it exists, there is nothing to install.
INPUTS := locks/$(DEVICE).lock locks/environment.sh pyproject.toml
STAMP := .venv/installed-$(DEVICE)-$(shell (pwd -P; cat $(INPUTS)) | cksum | cut -d ' ' -f 1)

# $(call option,--name,VALUE) is the option with its value where there is one.
option = $(if $(2),$(1) '$(2)')
# From the second iteration on, and without a POLICY, the loop trains what is missing.
COMMAND = $(if $(POLICY)$(filter 1,$(ITER)),run,loop)
OPTIONS = $(if $(RECIPE),'$(RECIPE)') $(if $(filter run,$(COMMAND)),--iter,--iterations) '$(ITER)' $(call option,--run,$(RUN)) $(call option,--policy,$(POLICY)) \
	$(call option,--algo,$(ALGO)) $(call option,--metric,$(METRIC)) $(call option,--alpha,$(ALPHA)) $(call option,--k,$(K))

.PHONY: help setup evolve test lint check check-trainers docs lock

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | awk -F '|' '{printf "%-21s %s\n", $$1, $$2}'

setup: $(STAMP) ## create .venv and install the locked dependencies (the targets below do it by themselves)

evolve: $(STAMP) ## run iteration ITER (default 1; above, train for it); METRIC ALGO ALPHA K RECIPE RUN POLICY change it, as in METRIC=eva
	.venv/bin/evolve $(COMMAND) $(strip $(OPTIONS))

test: $(STAMP) ## run the tests
	.venv/bin/python -m pytest

lint: $(STAMP) ## lint, formatting, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

check: lint test ## all that must hold before a change goes in: lint, then the tests

check-trainers: $(STAMP) ## load a dataset with each trainer's own code and compare tokens (TRAINERS="openrlhf swift")
	.venv/bin/python -m benchmarks.trainers $(TRAINERS)

docs: $(STAMP) ## write docs/reference/*.md anew from the code
	.venv/bin/python -m docs.reference.generate

lock: ## write locks/*.lock anew from pyproject.toml (pins stay where they can; delete a lock to move to the newest)
	locks/environment.sh compile

$(STAMP):
	@rm -f .venv/installed-*
	@locks/environment.sh install $(DEVICE)
	@touch $@
