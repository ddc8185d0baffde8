# The commands of a checkout. Each first makes its own environment, or brings it up to date: see bootstrap.py.

PYTHON ?= python3
RUN = @$(PYTHON) bootstrap.py run
TEST = @$(PYTHON) bootstrap.py test

# How many tests run at the same time: as many as there are processors.
TOGETHER ?= auto

# Plain values in, plain values out: every branch of these is tested (the import contracts list the same modules).
PURE = server/gateway/codes.py,server/gateway/handshake.py,server/gateway/protocol.py,server/gateway/fields.py,server/gateway/meaning.py,server/gateway/codec_json.py,server/gateway/codec_protobuf.py,server/gateway/effects.py,server/gateway/budget.py,server/gateway/lapses.py,server/gateway/interests.py,server/gateway/connection.py,server/gateway/recovery.py,server/chat/policy.py,server/people/naming.py,server/notices/endpoints.py,server/notices/quiet.py,server/roster/channel_sync.py,server/roster/policy.py,server/chat/participation.py,server/chat/activation_plan.py,server/limits.py,server/sealing/chain.py,server/sealing/heads.py,server/sealing/verifying.py,server/notices/addresses.py,server/notices/answering.py,server/notices/breaker.py,server/notices/payload.py,server/notices/rules.py

.PHONY: help run test property episodes lint format bench screenshots docs lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1	/p' Makefile

run: ## everything on this machine, with a demo clinic; says where to click
	$(RUN) python -m server dev

test: lint ## all checks: style, types, import rules, tests, coverage. PYTEST="-k word" adds options
	$(TEST) pytest -n $(TOGETHER) --cov --cov-report= $(PYTEST)
	$(TEST) coverage report
	$(TEST) coverage report --include=$(PURE) --fail-under=100

property: ## the rules of participation under 10,000 random concurrent operations (PROPERTY_SEED=… for the same again)
	@PROPERTY_OPERATIONS=10000 $(PYTHON) bootstrap.py test pytest -q -s tests/property

episodes: ## who is told of what, in 10,000 random episodes beside an oracle (EPISODES_SEED=… for the same again)
	@EPISODES=10000 EPISODES_SEED=$${EPISODES_SEED:-$$(date +%s)} $(PYTHON) bootstrap.py test \
	  pytest -q -n $(TOGETHER) -rP --show-capture=stdout --timeout 1800 tests/notices/test_episodes.py -k oracle

lint: ## style, types, and who may import whom
	$(TEST) ruff check
	$(TEST) ruff format --check
	$(TEST) mypy
	$(TEST) lint-imports

format: ## rewrite the code in the one style
	$(TEST) ruff check --fix
	$(TEST) ruff format

bench: ## measure the figures of benchmarks/README.md here and now. BENCH="…" adds options
	$(TEST) python -m benchmarks $(BENCH)

faults: ## break everything on purpose under load, and write docs/reliability.md. SECONDS=25 SEEDS=3 ROWS="R12 R27" RESUME=1
	$(TEST) python -m tests.faults $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(RESUME),--resume) $(if $(ROWS),--rows $(ROWS)) $(FAULTS)

screenshots: ## pictures of every page and state into screenshots/ (tests/web/screenshots*.py)
	$(TEST) python -m pytest -q $(wildcard tests/web/screenshots*.py)

docs: ## make the table of settings in docs/operations.md anew
	$(TEST) python -m tests.support.docs

LOCK = uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: ## pin the newest versions that pyproject.toml allows; needs uv
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group build -o build.lock
	$(LOCK) --group embedded --no-deps -o embedded.lock

clean: ## remove what was made here, but for the demo's data
	rm -rf .venv .bootstrap.lock .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
