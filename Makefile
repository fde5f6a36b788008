# `make` or `make help` lists what there is to do. Everything is installed into .venv and nowhere else,
# but for Mosquitto and ffmpeg, which `make test` takes from the system's packages.

SHELL := /bin/bash
.DEFAULT_GOAL := help
LOCKED := pyproject.toml uv.lock scripts/setup
# The URL as it was typed, for the shell: `&`, `$` and quotes are parts of URLs.
quoted = '$(subst ','\'',$(value $(1)))'

.PHONY: help run test test-slow test-faults test-ha check fmt docs site lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

run: .venv/.ready-run ## run the service with a broker of its own; URL=... downloads that and ends
	@.venv/bin/mediarip-mqtt run --embedded-broker $(if $(value URL),--download $(call quoted,URL))

test: .venv/.ready-dev ## run the tests; ARGS="-k name" runs some
	@.venv/bin/python -m pytest -n auto $(ARGS)

test-slow: .venv/.ready-dev ## run those that take longer: the command line, restarts, any input
	@.venv/bin/python -m pytest -n auto -m 'slow or hypothesis' --hypothesis-profile thorough $(ARGS)

test-faults: .venv/.ready-faults ## run the tests that kill, cut, fill and flood
	@.venv/bin/python -m pytest -n auto -m faults tests/faults $(ARGS)

test-ha: .venv/.ready-ha ## run the tests in real Home Assistants; HA_VERSIONS="2025.4.4" takes one
	@.venv/bin/python -m scripts.homeassistant $(HA_VERSIONS)
	@.venv/bin/python -m pytest -n 0 -m homeassistant tests/homeassistant/real $(ARGS)

check: .venv/.ready-dev ## lint, types, layers, formatting
	@scripts/check

fmt: .venv/.ready-dev ## format, and fix what can be fixed
	@.venv/bin/ruff check --fix-only --quiet . && .venv/bin/ruff format --quiet .

docs: .venv/.ready-dev ## write the generated pages again
	@.venv/bin/python -m scripts.generated_docs

site: .venv/.ready-docs ## build the docs as a website into site/; a warning is an error
	@.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going docs site

lock: .venv/.ready-dev ## resolve the dependencies again into uv.lock; ARGS=--upgrade takes the newest
	@scripts/lock $(ARGS)

clean: ## remove .venv and all caches, not your data
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist site
	@find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.ready-run: $(LOCKED)
	@scripts/setup run && touch $@

.venv/.ready-dev: $(LOCKED)
	@scripts/setup dev && touch $@

.venv/.ready-faults: $(LOCKED)
	@scripts/setup faults && touch $@ .venv/.ready-dev

.venv/.ready-docs: $(LOCKED)
	@scripts/setup docs && touch $@

.venv/.ready-ha: $(LOCKED)
	@scripts/setup ha && touch $@ .venv/.ready-dev
