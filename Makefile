# Every command of the course. The first one that needs Python makes .venv, and
# each of them may come first.

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
CHAPTER ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := benchmarks/.venv
PEERS_READY := $(PEERS)/.ready

# The marker holds the folder it was made in: a virtual environment that has moved,
# or whose Python has gone, is not ready.
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && cat $(READY) 2>/dev/null),$(CURDIR))
$(shell rm -f $(READY))
endif

# Two test processes share the cores; a thread pool in each would only slow them. The files
# keep their order: those that take minutes come first, and the two end together.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help lab test lint book serve-book pdf slides outputs assignment load-test bench clean
.DEFAULT_GOAL := help

help:  ## say what each command does
	@echo 'Differential Geometry and Generative Models. Commands:'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo 'Each makes $(VENV) when it is missing. Another Python: make lab PYTHON=python3.12'

lab: $(READY)  ## open JupyterLab on the chapters (on a server: ARGS=--no-browser)
	@echo 'Opening JupyterLab on course/ (Ctrl-C twice stops it)'
	@$(BIN)/python -m jupyterlab --ServerApp.root_dir=course \
	  --LabApp.default_url=/lab/tree/00_start_here.ipynb $(ARGS)

test: lint  ## run every check: style, types, library, chapters, book, browser
	@echo 'Testing the library, the chapters, the book and the browser'
	@$(ONE_THREAD) $(BIN)/python -m pytest --nbval --nbval-current-env \
	  -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY)  ## run the style and type checks alone
	@echo 'Checking style and types'
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --quiet --check . || \
	  { $(BIN)/python -m ruff format --diff .; exit 1; }
	@$(BIN)/python -m mypy

book: $(READY)  ## build the book from the stored outputs into book/_build/html
	@$(BIN)/python book/build.py

serve-book: book  ## build the book and serve it on this machine (PORT=8000)
	@echo 'The book is at http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)'
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory book/_build/html

pdf: book  ## print the book (or CHAPTER=germs) into book/_build/pdf (needs Chromium)
	@$(BIN)/python book/pdf.py book/_build $(CHAPTER)

slides: $(READY)  ## build each chapter's lecture into classroom/_build/slides (or CHAPTER=germs)
	@$(BIN)/python classroom/slides.py $(CHAPTER) $(ARGS)

outputs: $(READY)  ## run one chapter and store its outputs (CHAPTER=vae_geodesics)
	@test -n '$(CHAPTER)' || { echo 'Which chapter? make outputs CHAPTER=vae_geodesics'; exit 1; }
	@$(BIN)/python book/outputs.py $(wildcard course/*_$(CHAPTER).ipynb book/$(CHAPTER).ipynb)

assignment: $(READY)  ## build what students get from a chapter into classroom/release (CHAPTER=germs)
	@test -n '$(CHAPTER)' || { echo 'Which chapter? make assignment CHAPTER=germs'; exit 1; }
	@$(BIN)/python classroom/assignment.py $(CHAPTER) $(ARGS)

load-test: $(READY)  ## a class on a hub of this machine (ARGS='--students 5 --chapter vae_geodesics')
	@$(BIN)/python classroom/load_test.py $(ARGS)

bench: $(READY) $(PEERS_READY)  ## time the library beside its peers and write the book's page
	@$(BIN)/python benchmarks/page.py $(ARGS)

clean:  ## remove what was built, and keep the environments
	rm -rf book/_build book/assets/vendor classroom/_build build dist .pytest_cache .mypy_cache .ruff_cache

# A missing marker means that the last attempt did not finish: start afresh. An
# environment that is only out of date is brought up to date in place.
define make_environment
@if test ! -e $@; then \
  command -v $(PYTHON) >/dev/null || \
    { echo 'There is no $(PYTHON) here. The course needs Python 3.11 or newer.'; exit 1; }; \
  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "The course needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
      echo 'Name another one: make lab PYTHON=python3.12'; exit 1; }; \
  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
    { echo '$(PYTHON) cannot make virtual environments: its venv or ensurepip module is missing.'; \
      echo 'On Debian and Ubuntu: apt-get install python3-venv'; exit 1; }; \
  echo 'Making $(@D)'; $(PYTHON) -m venv --clear $(@D) || exit 1; \
fi; rm -f $@
endef

# Both read the versions from constraints.txt, so a change there updates them.
$(READY): pyproject.toml constraints.txt
	$(make_environment)
	@echo 'Installing the course into $(VENV): 2 GB and a few minutes the first time'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  -c constraints.txt -e '.[chapters,course,book,classroom,hub,test]'
	@echo '$(CURDIR)' > $@

# The peer libraries run in a process and an environment of their own.
$(PEERS_READY): benchmarks/requirements.txt
	$(make_environment)
	@echo 'Installing the peers into $(PEERS)'
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check \
	  -r benchmarks/requirements.txt
	@echo '$(CURDIR)' > $@
