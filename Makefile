# `make demo` and `make test` need only Python 3.11 or later and make: they set up .venv by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL := out/reverse.safetensors
REVERSE := programs/reverse.rasp --vocab "a-z " --max-length 20

.PHONY: setup demo test lint fuzz benchmark gallery clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	touch $@

demo: setup
	mkdir -p out
	$(BIN)/rasp compile $(REVERSE) -o $(MODEL)
	$(BIN)/rasp run programs/reverse.rasp -i "hello world"
	$(BIN)/rasp infer $(MODEL) -i "hello world"
	$(BIN)/rasp verify $(MODEL)
	$(BIN)/rasp draw programs/reverse.rasp -i "hello world" -o out/reverse.png

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/test_differential.py --programs 5000

benchmark: setup
	$(BIN)/python benchmarks/compile.py

gallery: setup
	$(BIN)/python -m viz.gallery

clean:
	rm -rf $(VENV) out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
