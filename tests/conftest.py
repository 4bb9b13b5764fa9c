"""One suite for both databases.

``pytest`` runs everything on SQLite. ``python -m tests.support.postgres pytest -m 'database or postgres'``
runs what uses a database on a throw-away PostgreSQL. ``make test`` does both (the browser once, on SQLite).
What a test needs and the machine lacks makes it skip, loudly.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER is None:  # the tests never see the folder of a person's own data
    os.environ["LVHENG_TEST_HOME"] = tempfile.mkdtemp(prefix="lvheng-test-")
os.environ["LVHENG_HOME"] = str(Path(os.environ["LVHENG_TEST_HOME"], WORKER or "main"))
for name in (
    "LVHENG_SECRET",
    "LVHENG_DEBUG",
    "LVHENG_HTTPS",
    "LVHENG_HOSTS",
    "LVHENG_PLANS",
    "LVHENG_RULEBOOK",
    "LVHENG_ENGINE",
):
    os.environ.pop(name, None)
os.environ["DJANGO_SETTINGS_MODULE"] = "lvheng.web.settings"

from django.conf import settings  # noqa: E402

ON_POSTGRES = "postgresql" in settings.DATABASES["default"]["ENGINE"]  # also makes the settings load now
NEEDS_DATABASE = {"db", "transactional_db", "django_db_reset_sequences", "prepared_city", "city", "server"}

# How long an example takes depends on what else the machine does: no test asserts a time.
hypothesis.settings.register_profile("lvheng", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("lvheng")

pytest_plugins = ["tests.support.chromium", "tests.support.server"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "database: uses the database (set by itself); runs on SQLite and PostgreSQL")


def pytest_unconfigure() -> None:
    if WORKER is None:
        shutil.rmtree(os.environ["LVHENG_TEST_HOME"], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"page", "phone", "browser"}:
            item.add_marker("browser")
        if item.get_closest_marker("django_db") or fixtures & NEEDS_DATABASE:
            item.add_marker("database")
        for heavy in ("browser", "spark"):  # one worker each: a browser and a JVM are started once
            if item.get_closest_marker(heavy):
                item.add_marker(pytest.mark.xdist_group(heavy))


def pytest_runtest_setup(item: pytest.Item) -> None:
    from tests.support import chromium

    if item.get_closest_marker("postgres") and not ON_POSTGRES:
        pytest.skip("PostgreSQL 上的测试；make test 会运行")
    if item.get_closest_marker("browser") and chromium.program() is None:
        pytest.skip("未安装 Chromium")
    if item.get_closest_marker("spark") and importlib.util.find_spec("pyspark") is None:
        pytest.skip("未安装 Spark；有 Java 的机器上 make test 会安装")


@pytest.fixture
def fresh_views() -> Iterator[None]:
    """Positions begin again with every test, so that a view of another test must not be met."""
    from django.core.cache import cache

    from lvheng.observations import view as views

    views._views.clear()
    cache.clear()
    yield
    views._views.clear()
