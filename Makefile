# make demo   set up, then train, cost and deploy a spiking network on real handwritten digits
# make test   set up, then every check and every test but the slow ones
# make wheels every distribution as a wheel in dist/, the engine's for each of its platforms
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
READY := $(VENV)/.ready
SOURCES := $(wildcard engine_zig/src/*.zig engine_zig/src/*/*.zig engine_zig/*.py)

WHEEL := $(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist
PYTHON_ONLY := kernel $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
# All compiled on this one machine; the names are those of engine_zig/hatch_build.py.
PLATFORMS := x86_64-linux-gnu.2.17 aarch64-linux-gnu.2.17 aarch64-macos.11.0 x86_64-windows

.PHONY: demo test test-all lint wheels clean

demo: $(READY)
	$(BIN)/snnk run examples/digits.toml

test: lint
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n 2 --dist loadfile

test-all: lint
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m ""

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m ziglang fmt --check engine_zig
	$(BIN)/codespell $$(git ls-files)

wheels: $(READY)
	rm -rf dist
	$(WHEEL) $(addprefix ./,$(PYTHON_ONLY))
	set -e; for platform in $(PLATFORMS); do \
		SNN_ENGINE_TARGET=$$platform $(WHEEL) ./engine_zig; done
	ls dist

# Made anew when what is installed changes; plain Python sources are installed editable. With the
# build tools there first, pip need not make an environment of its own for each distribution.
$(READY): requirements.txt constraints.txt kernel/pyproject.toml engine_zig/pyproject.toml \
		$(wildcard plugins/*/pyproject.toml) $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt editables hatchling ziglang
	$(PIP) --no-build-isolation -r requirements.txt
	touch $@

clean:
	rm -rf $(VENV) out dist
