# `make run` starts everything; `make test` proves it. Both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=  # where an image sets it, each process would compile all of ours again
LOCK := uv pip compile --quiet --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header

.PHONY: help run test chaos bench bench-config bench-health scale-health faults-config stress-config install check fix lock messages chaos-scheduler bench-scheduler upgrade pages

help: ## Say what each target does.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: .venv/.installed ## Start database, sandbox, scheduler and web; Ctrl-C stops all of it.
	@exec $(BIN)/python -m tradingsite.run

test: .venv/.installed ## Run the whole suite; COVERAGE=1 measures branch coverage too, in twice the time.
ifdef COVERAGE
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 3 --dist loadfile $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
else
	$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)
endif

install: .venv/.installed ## Make .venv and install the locked requirements.

.venv/.installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed; this is %d.%d. Name another: make PYTHON=python3.13 ..." % sys.version_info[:2])'
	@echo "Installing the locked requirements into .venv (about 40 s, once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --require-hashes --only-binary=:all: -r requirements-dev.txt
	@touch $@

check: .venv/.installed ## Lint, types, layers, templates, migrations.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python tests/layers.py
	$(BIN)/djlint templates --check --lint
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.upgrade.lint
	$(BIN)/python manage.py check --fail-level WARNING

fix: .venv/.installed ## Mend what the linters can mend.
	-$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	-$(BIN)/djlint templates --reformat --quiet

lock: .venv/.installed ## Resolve requirements*.in into hashed requirements*.txt.
	$(BIN)/$(LOCK) requirements.in --output-file requirements.txt
	$(BIN)/$(LOCK) requirements-dev.in --output-file requirements-dev.txt

chaos: .venv/.installed ## Kill the trader, the exchange and the database while orders are placed; SECONDS=300 SEED=1 VARIANT=new.
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) $(if $(VARIANT),--variant $(VARIANT))

chaos-scheduler: .venv/.installed ## Kill a scheduler's leader 100 times, then the tests' long forms; KILLS=15 SEED=1 VARIANT=unfenced: the kills alone.
	@$(BIN)/python -m tests.chaos_scheduler --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED)) $(if $(VARIANT),--variant $(VARIANT))
ifeq ($(KILLS)$(VARIANT),)
	@$(BIN)/python -m pytest -m slow tests/jobs
endif

pages: .venv/.installed ## Look at every page in Korean and at a phone's width, in a browser.
	@$(BIN)/python -m pytest -m slow tests/browser

upgrade: .venv/.installed ## Run the previous release, out of the history, while this tree's migrations are applied; VARIANT=needed.
	@$(BIN)/python -m tests.upgrade $(if $(VARIANT),--variant $(VARIANT))

bench: .venv/.installed ## Measure every bar next to its peer, in one table and in var/bench.json, eight minutes; ONLY=config: one part.
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

bench-scheduler: .venv/.installed ## Measure what a run costs, next to plain django-apscheduler, three minutes and a half; SECONDS=60.
	@SECONDS=$(or $(SECONDS),60) $(BIN)/python -m benchmarks.scheduler

bench-config: .venv/.installed ## Measure a config hit and a push next to installed peers, on a database of its own.
	@$(BIN)/python -m benchmarks.config

bench-health: .venv/.installed ## Measure health answers next to django-health-check and bare views, on a database of its own.
	@$(BIN)/python -m benchmarks.health

scale-health: .venv/.installed ## Measure the status page with a million samples next to one without a past, two minutes.
	@$(BIN)/python -m benchmarks.health.scale

faults-config: .venv/.installed ## Break what lies between a config change and a reader, and print how old it reads; PERIOD=5 COMPARE=60.
	@$(BIN)/python -m tests.sysconfig.processes faults $(or $(PERIOD),0.5) $(or $(COMPARE),1)

stress-config: .venv/.installed ## Count stale config reads in a million, in one process and over processes; READS=1000000.
	@$(BIN)/python -m tests.sysconfig.processes stress $(or $(READS),1000000)

messages: .venv/.installed ## Collect texts into the Korean catalogue and compile it; needs gettext's tools.
	@$(BIN)/python manage.py makemessages --locale ko --no-location --no-obsolete --no-wrap \
	  --ignore tests --ignore benchmarks --ignore var --ignore docs
	@cd tradingsite/locale/ko/LC_MESSAGES && msgfmt --output-file django.mo django.po
