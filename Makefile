# Needs Python 3.11-3.13 with venv, and make. No root, no docker, no PostgreSQL.
PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: help setup browser demo test test-quick test-long bi bi-stop scale bench bench-quick cluster moved soak lint format clean
help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.ready  ## Make .venv from uv.lock
	@$(HAS_CHROMIUM) || echo "The tests of pages need Chromium, too: make browser tells how."

# The one thing that uv.lock does not bring. Root in a container gets it; nobody else's machine is changed.
HAS_CHROMIUM := command -v "$${MINHU_CHROMIUM:-chromium}" >/dev/null
browser:  ## Chromium for the tests of pages: Debian's
	@$(HAS_CHROMIUM) || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium; \
	else \
		echo "sudo apt-get install chromium, or MINHU_CHROMIUM=/path/to/chrome" >&2; \
	fi

.uv/.ready: uv-bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "minhu needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r uv-bootstrap.txt
	@touch $@

.venv/.ready: .uv/.ready uv.lock pyproject.toml
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: setup  ## A month of a small city through the whole chain; safe to run twice; NO_AIRFLOW=1 for a quick look
	$(BIN)/minhu demo $(if $(NO_AIRFLOW),--no-airflow)

# A worker for each core, with a server of its own; the tests of a file share what they set up, the longest come first.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup browser  ## A sample of everything, within minutes
	$(PYTEST)

test-quick: setup browser  ## What answers within five minutes: files that take longer are left out (tests/heavy.txt)
	$(PYTEST) --quick

test-long: setup browser  ## Everything, the long runs too
	$(PYTEST) -m ""

.bench/.ready: .uv/.ready bench/requirements.txt
	$(PYTHON) -m venv .bench
	$(UV) pip install --quiet --python .bench/bin/python -r bench/requirements.txt
	@touch $@

.bi/.ready: .uv/.ready examples/superset/requirements.txt
	$(PYTHON) -m venv .bi
	$(UV) pip install --quiet --python .bi/bin/python --require-hashes -r examples/superset/requirements.txt
	@touch $@

bi: setup .bi/.ready  ## Apache Superset on this machine, with three boards over the marts; MINHU_BI_PORT
	$(BIN)/python examples/superset/start.py --port $(or $(MINHU_BI_PORT),8620)

bi-stop:  ## Stop it
	$(BIN)/python examples/superset/start.py --stop

.scale/.ready: .uv/.ready examples/spark/requirements.txt
	@java -version 2>/dev/null || { echo "make scale needs Java 17: sudo apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	$(PYTHON) -m venv .scale
	$(UV) pip install --quiet --python .scale/bin/python --require-hashes -r examples/spark/requirements.txt
	@touch $@

scale: setup .scale/.ready  ## Apache Spark with two workers says what mart says, and how long it takes; ARGS="--cities 9 --size 13"
	PYTHONPATH=. $(BIN)/python examples/spark/start.py $(ARGS)

bench: setup .bench/.ready  ## Measure, side by side with what it is compared to; writes bench/results.json
	$(BIN)/python -m bench

bench-quick: setup .bench/.ready  ## The same at a tenth of the size
	$(BIN)/python -m bench --quick

cluster: setup  ## A day by two workers; one is killed mid-load, the broker too; nothing may be lost; STORE=s3: landed in S3
	$(if $(filter s3,$(STORE)),UV_PROJECT_ENVIRONMENT=.cluster $(UV) sync --frozen --quiet --group s3 --python $(PYTHON))
	$(if $(filter s3,$(STORE)),.cluster/bin,$(BIN))/python -m bench.cluster $(if $(STORE),--store $(STORE)) $(if $(BROKER),--broker-url $(BROKER))

moved: setup  ## Which scores of a simulated month this tree moves against a commit: make moved REF=main
	$(BIN)/python -m bench.moved $(REF)

soak: setup  ## Ten days through the real scheduler under faults, judged at the end; CASES=3000 a day
	$(BIN)/python -m bench.soak $(if $(CASES),--cases $(CASES)) $(ARGS)

lint: setup  ## Check types, and style of Python and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project sql
	$(BIN)/sqlfluff lint --templater placeholder minhu

format: setup  ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Stop what runs and remove .minhu, .venv and .uv
	@test ! -x $(BIN)/minhu || $(BIN)/minhu down
	rm -rf .minhu .venv .uv .bench .cluster .scale
