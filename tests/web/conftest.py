"""What the page tests share: people of each role, and figures put into an empty store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lvheng.access.roles import Role
from lvheng.core.source import Confidence

if TYPE_CHECKING:  # a conftest is read before Django is set up
    from django.test import Client

    from lvheng.observations.models import Subject
    from lvheng.observations.view import View

SignedIn = Callable[..., Any]
Put = Callable[..., None]


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    """Addresses of static files without the hashes that ``lvheng run`` makes."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    from django.core.cache import cache

    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def signed_in(db: None) -> SignedIn:
    """A client of a person: ``signed_in(Role.COUNTY, region="350102")``."""

    from django.test import Client

    from lvheng.access.models import User

    def make(role: Role, **more: str) -> Client:
        user = User.objects.create_user(
            f"person-{role}-{len(more.get('region', ''))}-{User.objects.count()}",
            role=role.value,
            full_name="某人",
            **more,
        )
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make


@pytest.fixture
def plan_view(db: None) -> View:
    from lvheng.observations import view
    from lvheng.observations.services import load_plans

    load_plans()
    return view.current()


@pytest.fixture
def put(plan_view: View) -> Put:
    """Record figures: ``put(indicator, region, {"2020": 1, "2023": 2}, quality="statistics", synthetic=False)``."""
    from lvheng.observations.models import SourceDocument
    from lvheng.observations.store import Figure, record

    def store(
        indicator: str, region: str, values: dict[str, object], quality: str = "statistics", synthetic: bool = False
    ) -> None:
        key = f"test-{quality}-{synthetic}"
        told = {"document": "测试报表", "confidence": Confidence.CONFIRMED.value, "synthetic": synthetic}
        SourceDocument.objects.get_or_create(key=key, defaults=told)
        unit = plan_view.catalogue[indicator].unit
        figures = [
            Figure(indicator, region, period, Decimal(str(v)), unit, quality, key) for period, v in values.items()
        ]
        record(figures, kind="published", title="测试", by="测试", catalogue=plan_view.catalogue)

    return store


@pytest.fixture
def unit_subject(plan_view: View) -> Subject:
    """A single energy user of the first county."""
    from lvheng.observations.models import Subject

    county = Subject.objects.get(code=plan_view.counties[0].code)
    return Subject.objects.create(code="U1", kind="unit", name="某厂", parent=county)
