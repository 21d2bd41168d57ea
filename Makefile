# make run      install what is missing, then start everything (PORT=8001 make run: on another port)
# make test     the test suite            make lint   ruff, mypy, djlint
# make lint-js  Biome over static/*.js; needs Node.js, which nothing else does
# make docs     the documentation as a site, in var/docs
# make ci       what CI runs              make kill   30 random kills while 500 posts are read
# make install-yolo  ultralytics, under AGPL-3.0, for whoever wants its detectors (docs/editors/pictures.md)
# make secrets  the passwords and keys that docker-compose.yml reads, made once
# make clean    remove what was installed; DATA_DIR stays
# PIP_ARGS      passed to pip, for example an index of CPU-only wheels of torch

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
BIOME := @biomejs/biome@2.6.8

.PHONY: run install install-dev install-yolo test lint lint-js format docs ci kill secrets clean
run: install
	@exec $(PY) manage.py up

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

$(PY):
	@test -n "$(PYTHON)" || { echo "kgbuilder needs Python 3.11 or newer, and none was found on the PATH. Install it, or say where: make run PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' || { echo "kgbuilder needs Python 3.11 or newer, and $(PYTHON) is older or no Python. Say which to take: make run PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(PY)
	@echo "Installing: about 2.8 GB to download, 6.5 GB on disk in $(VENV) (most of it torch with its CUDA libraries). This takes some minutes."
	@$(PY) kgbuilder/install/requirements.py > $(VENV)/requirements.txt
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -r $(VENV)/requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PY) kgbuilder/install/requirements.py dev > $(VENV)/requirements-dev.txt
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -r $(VENV)/requirements-dev.txt
	@touch $@

install-yolo: install
	@$(PY) kgbuilder/install/requirements.py yolo > $(VENV)/requirements-yolo.txt
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -r $(VENV)/requirements-yolo.txt

test: install-dev
	$(PY) -m pytest $(ARGS)

lint: install-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	$(PY) -m djlint templates --lint --check

lint-js:
	@command -v npx >/dev/null || { echo "make lint-js runs Biome with npx, which was not found on the PATH. Install Node.js 20 or newer."; exit 1; }
	npx --yes $(BIOME) lint --error-on-warnings

format: install-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) -m djlint templates --reformat --quiet

docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict --site-dir var/docs

ci:
	.ci/run

kill: install-dev
	$(PY) -m tests.kill $(ARGS)

secrets:
	@$(PYTHON) kgbuilder/install/make_secrets.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
