# 绿衡：make run 运行，make test 测试；其余见 make help。
SHELL := bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.PHONY: help run setup dev spark system test check lint types imports templates translations migrations messages bench docs lock clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off
LOCKED := $(PIP) --require-hashes
PROGRESS := $(BIN)/python tools/progress.py
CATALOGUES := $(wildcard src/lvheng/*/locale/*/LC_MESSAGES/django.po)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

help:
	@echo '绿衡 Lvheng：让节能减排综合工作实施方案跑起来'
	@echo '  make run       安装、装入首个城市的方案和演示数据，并在 http://127.0.0.1:8000 提供服务'
	@echo '  make test      安装并在 SQLite、PostgreSQL 和 Chromium 上运行全部测试'
	@echo '  make check     格式、类型、引用方向、模板、翻译、迁移检查'
	@echo '  make setup     只安装，不运行'
	@echo '  make bench     性能对比'
	@echo '  make docs      生成手册（docs/_build/html）'
	@echo '  make messages  从源码更新翻译文件'
	@echo '  make lock      重新锁定依赖版本'
	@echo '  make clean     删除安装内容和生成文件；var/ 中的数据保留'

run: setup
	@exec $(BIN)/lvheng run

# --- 安装：每一步留一个时间戳，内容不变则不再执行 ---

setup: $(VENV)/.product node_modules/.package-lock.json $(VENV)/.messages

$(VENV)/.python:
	@tools/create-venv $(VENV)
	@touch $@

$(VENV)/.product: requirements-build.lock requirements.lock pyproject.toml | $(VENV)/.python
	@$(PROGRESS) '安装 Python 软件包' requirements-build.lock requirements.lock -- \
	  $(LOCKED) -r requirements-build.lock -r requirements.lock
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json .npmrc
	@tools/install-frontend
	@touch $@

$(VENV)/.messages: $(CATALOGUES) tools/messages.py | $(VENV)/.product
	@$(BIN)/python tools/messages.py compile
	@touch $@

dev: setup $(VENV)/.dev

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.product
	@$(PROGRESS) '安装开发与测试软件包' requirements-dev.lock -- $(LOCKED) -r requirements-dev.lock
	@touch $@

# Spark 只在有 Java 的机器上安装；没有时相关测试跳过并写明原因。
spark: dev
	@if ! java -version >/dev/null 2>&1; then \
	  echo '！！未找到 Java：跳过 Spark 测试。安装 Java 17 以上后重新运行 make test 即可。'; \
	else $(MAKE) $(VENV)/.spark; fi

$(VENV)/.spark: requirements-spark.lock | $(VENV)/.dev
	@$(PROGRESS) '安装 Spark' requirements-spark.lock -- \
	  $(LOCKED) --no-build-isolation --use-pep517 -r requirements-spark.lock
	@touch $@

system:
	@tools/system-packages

# --- 测试与检查 ---

# 先在 PostgreSQL 上运行用到数据库的测试，再在 SQLite 上运行全部测试；任一失败即为失败。
# ARGS 缩小范围后，可能没有用到数据库的测试（pytest 以 5 表示）。
test: dev spark system
	@status=0; \
	if $(BIN)/python -m tests.support.postgres --available; then \
	  $(BIN)/python -m tests.support.postgres $(PYTEST) -m '(database or postgres) and not browser' $(ARGS) || status=$$?; \
	  if [ $$status = 5 ] && [ -n '$(subst ','\'',$(ARGS))' ]; then status=0; fi; \
	fi; \
	$(PYTEST) $(ARGS) || status=$$?; \
	exit $$status

check: lint types imports templates translations migrations
	@echo '检查全部通过'

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: dev
	@$(BIN)/mypy

imports: dev
	@$(BIN)/lint-imports

templates: dev
	@$(BIN)/djlint src --lint --quiet --profile django --ignore H014,H015,H023,H043

translations: dev
	@$(BIN)/python tools/messages.py check

migrations: dev
	@$(BIN)/python tools/check_migrations.py

messages: dev
	@$(BIN)/python tools/messages.py update
	@$(BIN)/python tools/messages.py compile

bench: dev
	@$(BIN)/python -m bench.run $(ARGS)

docs: dev
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo '手册：docs/_build/html/index.html'

lock: dev
	@tools/lock

clean:
	rm -rf $(VENV) node_modules docs/_build docs/_generated src/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find src tests tools bench docs -name __pycache__ -type d -prune -exec rm -rf {} +
	find src -name '*.mo' -delete
