"""Generated once: the small city and the first city."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvheng.demo.pack import Pack, assemble
from lvheng.observations.catalogue import Catalogue, load_catalogue
from lvheng.plan.schema import Plan, load_plan
from tests.demo.mini import ROOT, write_mini


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "rulebook" / "indicators")


@pytest.fixture
def mini(tmp_path: Path) -> tuple[Plan, Path]:
    return write_mini(tmp_path)


@pytest.fixture(scope="session")
def mini_pack(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue) -> Pack:
    plan, data = write_mini(tmp_path_factory.mktemp("mini"))
    return assemble(plan, catalogue, data)


@pytest.fixture(scope="session")
def first_city() -> Plan:
    return load_plan(ROOT / "plans" / "fuzhou-145")


@pytest.fixture(scope="session")
def pack(first_city: Plan, catalogue: Catalogue) -> Pack:
    """The demonstration as users see it."""
    return assemble(first_city, catalogue, ROOT / "data")
