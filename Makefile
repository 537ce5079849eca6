# `make demo` and `make test` need only Python 3.11 or later and make: they set up .venv by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL := out/reverse.safetensors
REVERSE := programs/reverse.rasp --vocab "a-z " --max-length 20

CHROMIUM := command -v chromium || command -v chromium-browser || command -v google-chrome

.PHONY: setup demo test lint browser interop types dist docs fuzz benchmark benchmark-tracr lab gallery clean

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

test: lint browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests of the report page want a Chromium: as root on Debian it is installed, elsewhere those tests are skipped.
browser:
	@($(CHROMIUM)) >/dev/null \
	|| (test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq chromium >/dev/null) 2>/dev/null \
	|| echo "no Chromium here: the tests of the report page are skipped"

# Other libraries run what is exported to them, in an environment each beside .venv.
INTEROP := $(VENV)-interop
ENVIRONMENTS := onnx dask treescope geometric huggingface transformer-lens transformer-lens-3 tracr
TESTS_dask := tests/test_workers.py
TESTS_tracr := tests/test_tracr.py tests/test_others.py
TESTS_treescope := tests/test_viz_notebook.py
TESTS_geometric := tests/test_geometric.py
TESTS_onnx := tests/test_export.py tests/test_export_onnx.py
TESTS_huggingface := tests/test_export_huggingface.py
TESTS_transformer-lens := tests/test_export_lens.py
TESTS_transformer-lens-3 := tests/test_export_lens.py

interop: $(ENVIRONMENTS:%=interop-%)

interop-%: $(INTEROP)/%/.ready
	OMP_NUM_THREADS=1 $(INTEROP)/$*/bin/python -m pytest -q -rs --replayed 1000 $(TESTS_$*)

# An extra followed by -N has version N of its library, where versions exclude each other.
$(INTEROP)/%/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(INTEROP)/$*
	$(INTEROP)/$*/bin/python -m pip install --quiet -c constraints.txt -e ".[test,$(*:-3=)]" $(if $(filter %-3,$*),"$(*:-3=)<4")
	touch $@

# Public names have full types, as pyright sees them where the package is installed and not in editable mode.
TYPED := $(VENV)-types

types: $(TYPED)/.ready
	$(TYPED)/bin/python -m pip install --quiet --force-reinstall --no-deps .
	PATH="$(CURDIR)/$(TYPED)/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/$(TYPED)" $(TYPED)/bin/python -P tests/public_types.py

$(TYPED)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TYPED)
	$(TYPED)/bin/python -m pip install --quiet -c constraints.txt . pyright
	touch $@

# What is published: a source archive and a wheel in dist/.
dist: setup
	rm -rf dist build
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist

fuzz: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/test_differential.py --programs 5000
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/test_graph_programs.py --vertices 6
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/test_documents.py --commands

# Beside the original: make benchmark ORIGINAL=~/RASP, a checkout that is set up; beside Tracr: make benchmark-tracr.
benchmark: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.interpret
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.workers
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.forward
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.compile
	$(if $(ORIGINAL),OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.others --original $(ORIGINAL))

benchmark-tracr: $(INTEROP)/tracr/.ready
	OMP_NUM_THREADS=1 $(INTEROP)/tracr/bin/python -m benchmarks.others --tracr --write

# The pages of docs/ as a site in out/docs, in an environment of its own; a link that leads nowhere is an error.
DOCS := $(VENV)-docs

docs: $(DOCS)/.ready
	$(DOCS)/bin/python -m sphinx -W --keep-going -q -c docs . out/docs
	$(DOCS)/bin/python -m pytest -q tests/test_documents.py tests/test_notebooks.py
	@echo "out/docs/index.html"

$(DOCS)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet -c constraints.txt -e ".[test,docs]"
	touch $@

lab: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.lab_page

gallery: setup
	$(BIN)/python -m viz.gallery
	$(BIN)/python -m viz.graph_page

clean:
	rm -rf $(VENV) $(DOCS) $(INTEROP) $(TYPED) dist out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
