# `make` or `make help` lists the targets. Everything is installed into .venv, except Mosquitto and
# ffmpeg, which `make test` installs from the system's packages.

SHELL := /bin/bash
.DEFAULT_GOAL := help
LOCKED := pyproject.toml uv.lock scripts/setup
# Quotes a value for the shell: URLs contain `&`, `$` and quotes.
quoted = '$(subst ','\'',$(value $(1)))'

.PHONY: help run test test-slow test-faults test-ha test-kodi check bench card fmt docs site lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

run: .venv/.ready-run ## run the service with an embedded broker; URL=... downloads that and exits
	@.venv/bin/mediarip-mqtt run --embedded-broker $(if $(value URL),--download $(call quoted,URL))

test: .venv/.ready-dev ## run the fast tests; ARGS="-k name" selects tests
	@.venv/bin/python -m pytest -n auto --dist worksteal $(ARGS)

test-slow: .venv/.ready-dev ## run the slow tests: the command line, restarts, random input
	@.venv/bin/python -m pytest -n auto --dist worksteal -m 'slow or hypothesis' --hypothesis-profile thorough $(ARGS)

test-faults: .venv/.ready-faults ## run the fault tests: kills, lost connections, full disks, load
	@.venv/bin/python -m pytest -n auto --dist worksteal -m faults tests/faults $(ARGS)

test-ha: .venv/.ready-ha ## run the tests in real Home Assistants; HA_VERSIONS="2025.4.4" selects one
	@.venv/bin/python -m scripts.homeassistant $(HA_VERSIONS)
	@.venv/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m homeassistant tests/homeassistant $(ARGS)

test-kodi: .venv/.ready-kodi ## run the tests in a real Kodi; needs Debian or Ubuntu
	@.venv/bin/python -m pytest -n 0 -m kodi tests/kodi $(ARGS)

check: .venv/.ready-dev ## check lint rules, types, layers, formatting and generated docs
	@scripts/check

bench: .venv/.ready-bench ## measure against curl and yt-dlp, and write docs/performance.md; ARGS=--quick tries it
	@.venv/bin/python -m bench --write $(ARGS)

card: ## build the Lovelace card after a change in homeassistant/card; needs Node.js
	@scripts/card

fmt: .venv/.ready-dev ## format, and apply automatic fixes
	@.venv/bin/ruff check --fix-only --quiet . && .venv/bin/ruff format --quiet .

docs: .venv/.ready-dev ## write the generated docs
	@.venv/bin/python -m scripts.generated_docs

site: .venv/.ready-docs ## build the docs as a website into site/; a warning is an error
	@.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going docs site

lock: .venv/.ready-dev ## update uv.lock; ARGS=--upgrade upgrades all dependencies
	@scripts/lock $(ARGS)

clean: ## remove .venv and all caches, but no data
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist site
	@find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.ready-run: $(LOCKED)
	@scripts/setup run && touch $@

.venv/.ready-dev: $(LOCKED)
	@scripts/setup dev && touch $@

.venv/.ready-faults: $(LOCKED)
	@scripts/setup faults && touch $@ .venv/.ready-dev

.venv/.ready-bench: $(LOCKED)
	@scripts/setup bench && touch $@ .venv/.ready-dev

.venv/.ready-docs: $(LOCKED)
	@scripts/setup docs && touch $@

.venv/.ready-ha: $(LOCKED)
	@scripts/setup ha && touch $@ .venv/.ready-dev

.venv/.ready-kodi: $(LOCKED)
	@scripts/setup kodi && touch $@ .venv/.ready-dev
