"""The certificate register: the services tell what is wrong, and the database refuses it whoever writes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from lvheng.access.models import AuditEvent
from lvheng.core.problem import ProblemError
from lvheng.energy import services
from lvheng.energy.deductions import Block, Contract
from lvheng.energy.models import CertificateUse, GreenContract
from lvheng.observations.models import Subject

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def holders():
    for code in ("甲", "乙"):
        Subject.objects.create(code=code, kind="unit", name=code)


def block(start, end, holder="甲", year=2024, series="S", contract=""):
    return Block("", series, start, end, holder, year, contract)


def codes(*args):
    with pytest.raises(ProblemError) as caught:
        services.register(*args, by="测试")
    return [p.code for p in caught.value]


def test_a_block_is_used_once_by_one_holder_in_one_year():
    assert services.register([block(1, 100), block(101, 200)], [], by="测试") == (2, 0)
    assert codes([block(150, 300, holder="乙")], []) == ["energy.certificate.twice"]
    assert codes([block(100, 100, year=2025)], []) == ["energy.certificate.twice"]
    assert CertificateUse.objects.count() == 2
    assert services.held(["甲"], 2024).kwh == 200_000


def test_a_stranger_holds_nothing():
    assert codes([block(1, 2, holder="丙")], []) == ["energy.certificate.holder"]


def test_all_or_nothing():
    codes([block(1, 10), block(10, 20)], [])
    assert not CertificateUse.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_same_power_by_contract_and_certificate_in_either_order():
    services.register([], [Contract("G-1", "甲", 2024, Decimal(5000))], by="测试")
    assert codes([block(1, 5, contract="G-1")], []) == ["energy.certificate.with_contract"]
    services.register([block(1, 5, contract="G-2")], [], by="测试")
    assert codes([], [Contract("G-2", "甲", 2024, Decimal(5000))]) == ["energy.certificate.with_contract"]
    assert codes([], [Contract("G-1", "乙", 2024, Decimal(1))]) == ["energy.certificate.contract_twice"]


def test_released_serials_may_be_used_again():
    services.register([block(1, 10)], [], by="测试")
    use = CertificateUse.objects.get()
    with pytest.raises(ProblemError):
        services.release(use.pk, " ", by="测试")
    services.release(use.pk, "登记有误", by="测试")
    assert services.held(["甲"], 2024).kwh == 0
    services.register([block(5, 12, holder="乙")], [], by="测试")
    with pytest.raises(ProblemError):
        services.release(use.pk, "再撤", by="测试")


def raw(start, end, **more):
    return CertificateUse.objects.create(series="S", start=start, end=end, holder="x", year=2024, recorded_at=timezone.now(), recorded_by="x", **more)  # fmt: skip


@pytest.mark.parametrize("attempt", [
    lambda: raw(5, 15), lambda: raw(0, 0), lambda: raw(30, 20), lambda: raw(50, 60, kwh_each=0),
    lambda: CertificateUse.objects.update(holder="y"), lambda: CertificateUse.objects.all().delete(),
    lambda: GreenContract.objects.create(number="n", holder="x", year=2024, kwh=0, recorded_at=timezone.now(), recorded_by="x"),
])  # fmt: skip
def test_the_database_refuses_it_too(attempt):
    raw(1, 10)
    with pytest.raises(DatabaseError), transaction.atomic():
        attempt()
