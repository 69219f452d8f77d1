# Two commands: `make demo` shows what recurra does, `make test` runs every check.
# Both make their own environment in .venv, so a machine needs Python 3.11 or later and make, nothing else. With a C++
# compiler there is also the native engine; without one all the rest works.
PYTHON ?= python3
BIN := .venv/bin
NATIVE := $(wildcard native/*)

# CMake and Ninja of this machine; without CMake the one from the package index.
CMAKE := $(or $(shell command -v cmake 2>/dev/null),$(BIN)/cmake)
GENERATOR := $(if $(shell command -v ninja 2>/dev/null),-G Ninja)
# GCC's library that watches addresses; a compiler without it answers with the bare name, no compiler with nothing.
ASAN = $(filter /%,$(shell $(CXX) -print-file-name=libasan.so 2>/dev/null))

.PHONY: demo test quick check install native sanitize tsan clean
.DELETE_ON_ERROR:

demo: .venv/base
	$(BIN)/recurra demo

test: .venv/dev check
	$(BIN)/pytest -n auto --dist worksteal
	@if $(if $(ASAN),$(WATCH) $(BIN)/python -c pass >/dev/null 2>&1,false); then $(MAKE) --no-print-directory sanitize; \
	else echo "Skipped make sanitize: there is no GCC here whose libasan Python can start with."; fi

# What is fast of it, for while you work.
quick: .venv/dev check
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: .venv/base

# The engine alone, for trying out: RECURRA_NATIVE_LIBRARY=build/native/recurra_native.so uses it.
native: | $(CMAKE)
	$(CMAKE) -S native -B build/native $(GENERATOR)
	$(CMAKE) --build build/native --parallel 4

# The tests of the engine once more, with every access to memory and every undefined operation watched. Both libraries
# must be there before Python is. The first fault ends the run: with an abort, so that pytest says where it was, and
# past pytest's capture, so that the report is seen. What Python still holds at exit is not our business.
WATCH = LD_PRELOAD="$(ASAN) $(shell $(CXX) -print-file-name=libstdc++.so 2>/dev/null)" \
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1 \
  OMP_NUM_THREADS=2 RECURRA_NATIVE_LIBRARY="$(CURDIR)/build/sanitize/recurra_native.so"

sanitize: .venv/dev | $(CMAKE)
	@$(if $(ASAN),,echo "make sanitize needs GCC with libasan: install g++, or name one that has it (make sanitize CXX=g++)."; exit 1)
	CXX="$(CXX)" $(CMAKE) -S native -B build/sanitize $(GENERATOR) -DRECURRA_SANITIZE=memory -DRECURRA_WERROR=ON
	$(CMAKE) --build build/sanitize --parallel 4
	$(WATCH) $(BIN)/python -m pytest --capture=sys tests/test_native.py tests/test_energy.py tests/test_crf.py tests/test_attending.py

# The engine in many threads at once, with every access watched that two of them make without waiting for each other.
# A program of its own, native/race.cpp. ThreadSanitizer wants its memory where it always is, not at random places.
TSAN = $(filter /%,$(shell $(CXX) -print-file-name=libtsan.so 2>/dev/null))

tsan: | $(CMAKE)
	@$(if $(TSAN),,echo "make tsan needs GCC with libtsan: install g++, or name one that has it (make tsan CXX=g++)."; exit 1)
	CXX="$(CXX)" $(CMAKE) -S native -B build/tsan $(GENERATOR) -DRECURRA_SANITIZE=threads -DRECURRA_WERROR=ON
	$(CMAKE) --build build/tsan --parallel 4
	TSAN_OPTIONS=halt_on_error=1 $(shell setarch -R true 2>/dev/null && echo setarch -R) build/tsan/race

.venv/base: pyproject.toml constraints.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit("recurra needs Python 3.11 or later; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@ls src/recurra/native/recurra_native.* >/dev/null 2>&1 || echo "The native engine was not built, all else works: install a C++ compiler and run make -B install."
	@touch $@

# The engine is built already: this leaves it as it is.
.venv/dev: .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --config-settings=wheel.cmake=false -e '.[dev]'
	@touch $@

$(BIN)/cmake: | .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt cmake

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/recurra/native/recurra_native.*
