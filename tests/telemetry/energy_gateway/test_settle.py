"""The steel works of data/telemetry-samples through the real energy gateway (HTTPS) to the ledger and the reviewer's page."""

from __future__ import annotations

import csv
import gzip
import io
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings as site
from django.test import Client
from django.urls import reverse

from lvheng.access.models import User
from lvheng.access.roles import Role
from lvheng.core.source import Confidence, Source
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject
from lvheng.observations.services import ensure_source, load_plans
from lvheng.observations.store import Figure, record
from lvheng.telemetry import services
from lvheng.telemetry.devices import MemoryRegistry
from lvheng.telemetry.energy_gateway import settle
from lvheng.telemetry.ingest import Clock, Decoder
from lvheng.telemetry.lake import Lake
from lvheng.telemetry.models import EnergyMeter, MeterExchange

pytestmark = pytest.mark.django_db
UNIT, DEVICE, CODE = "91350000MA00000001", "M1", "01003300"
LONG_AGO = Clock(past=timedelta(days=40_000))
QUARTER = timedelta(minutes=15)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Plant:
    """An end device that uploads over HTTPS."""

    def __init__(self, data: Path, port: int, cert: Path):
        self.data, self.port, self.context = data, port, ssl.create_default_context(cafile=str(cert))

    def post(self, items: list[dict[str, str]], token: str = "t") -> tuple[int, dict[str, str]]:
        body = json.dumps({"enterpriseCode": UNIT, "deviceId": DEVICE, "data": items}).encode()
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/upload", body, {"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def upload(self, rows: list[tuple[datetime, Decimal]], statistic: str = "0") -> None:
        for at in range(0, len(rows), 2000):
            items = [
                {"dataCode": CODE, "dataValue": f"{v:f}", "statType": statistic, "statDate": f"{t:%Y-%m-%d %H:%M:%S}"}
                for t, v in rows[at : at + 2000]
            ]
            status, answer = self.post(items)
            assert (status, answer["responseCode"]) == (200, "0000")
        Decoder(self.data / "journal", Lake(self.data / "lake"), MemoryRegistry(), clock=LONG_AGO).run()


@pytest.fixture
def plant(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    load_plans()
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # fmt: skip
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    data = tmp_path / "telemetry"
    data.mkdir()
    (data / "energy.json").write_text(json.dumps({UNIT: "t"}))
    monkeypatch.setattr(services, "data_folder", lambda: data)
    monkeypatch.setattr(services, "rollup_folder", lambda: tmp_path / "rollup")
    Subject.objects.create(code=UNIT, kind="unit", name="样本钢厂", synthetic=True)
    cert, key = certificate(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "lvheng.cli",
        "energy-gateway",
        "--data",
        str(data),
        "--port",
        str(port),
        "--certificate",
        str(cert),
        "--key",
        str(key),
    ]
    process = subprocess.Popen(command, env={**os.environ, "LVHENG_HOME": str(tmp_path)})
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Plant(data, port, cert)
    finally:
        process.terminate()
        process.wait(20)


@cache
def usage() -> list[tuple[datetime, Decimal]]:
    """kWh of each quarter hour of 2018, by its beginning."""
    path = next((Path(site.DATA_FOLDER) / "telemetry-samples").glob("uci_steel*"))
    table = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode("utf-8-sig")))
    return sorted((datetime.strptime(r["date"], "%d/%m/%Y %H:%M"), Decimal(r["Usage_kWh"])) for r in table)  # noqa: DTZ007


def readings(start: Decimal, capacity: Decimal | None = None) -> list[tuple[datetime, Decimal]]:
    """The register of a meter that measured the plant: one reading at each bound of the year's quarter hours."""
    out, at, total = [], datetime(2018, 1, 1), start  # noqa: DTZ001
    for when, used in usage():
        out.append((when, total))
        total += used
        if capacity is not None and total >= capacity:
            total -= capacity
        at = when + QUARTER
    return [*out, (at, total)]


def used(month: int) -> Decimal:
    return sum((v for t, v in usage() if t.month == month), Decimal(0))


def test_a_year_of_quarter_hours_becomes_months_in_the_ledger(plant: Plant, client: Client) -> None:
    capacity = Decimal(100_000)
    year = readings(Decimal("98765.43"), capacity)
    assert (
        plant.post([{"dataCode": CODE, "dataValue": "1", "statType": "0", "statDate": "2018-01-01"}], "wrong")[0] == 401
    )
    february = datetime(2018, 2, 1)  # noqa: DTZ001
    hole = {february + timedelta(days=9, minutes=15 * n) for n in range(6)}
    plant.upload([r for r in year if r[0].month < 4 and r[0] not in hole])
    january_1 = datetime(2018, 1, 1)  # noqa: DTZ001
    days = [
        (january_1 + timedelta(days=d), sum((v for t, v in usage() if t.month == 1 and t.day == d + 1), Decimal(0)))
        for d in range(31)
    ]
    plant.upload(days, "1")
    plant.upload([(datetime(2018, 1, 1), used(1) * Decimal("1.06"))], "2")  # noqa: DTZ001

    first = settle.settle("2018-01")  # meets the meter, whose capacity nobody has stated yet: the roll-over is a reset
    assert not first[0][0].whole
    assert first[1] is None
    meter = EnergyMeter.objects.get()
    assert (meter.unit, meter.carrier, meter.measure, meter.form) == (UNIT, "electricity", "kWh", "register")
    meter.capacity = capacity
    meter.save()

    (january,), recorded = settle.settle("2018-01")
    assert recorded is not None
    assert recorded.new == 1
    assert Decimal(january.amount) == used(1)  # the sum of slots is the register's difference, to the last digit
    assert (january.whole, january.have, january.due, january.rolled) == (True, 31 * 96, 31 * 96, january.rolled)
    assert january.rolled >= 1
    assert january.deviation is not None
    assert Decimal(january.deviation) > settle.quality("day_against_month")
    figure = Observation.objects.get(indicator=settle.INDICATOR)
    assert figure.value == (used(1) / 10_000 * Decimal("1.229")).quantize(Decimal("0.000001"))
    assert "数据湖分区" in figure.reference

    (feb,), recorded = settle.settle("2018-02")  # the hole: its total is known, its slots are not, and none is zero
    assert recorded is not None
    assert Decimal(feb.amount) == used(2)
    assert (feb.gaps, feb.have) == (1, 28 * 96 - 7)
    (gap,) = [s for s in settle.spans_of(meter, "2018-02") if s["kind"] == "gap"]
    assert Decimal(gap["amount"]) == sum(v for t, v in usage() if gap["start"] <= t < gap["end"])

    again = settle.settle("2018-01")[1]  # the same data give the same figure
    assert again is not None
    assert (again.new, again.revised, again.same) == (0, 0, 1)
    late = [(t, v + 50) for t, v in year if t == february]  # a reading is corrected: a new vintage, the old one stays
    plant.upload(late)
    assert settle.settle("2018-01")[1].revised == 1  # type: ignore[union-attr]
    assert sorted(
        Observation.objects.filter(indicator=settle.INDICATOR, period="2018-01").values_list("vintage", flat=True)
    ) == [1, 2]

    # against form 205-1, for the reviewer
    filed = (used(2) / 10_000 * Decimal("1.229") * Decimal("0.93")).quantize(Decimal("0.01"))
    source = ensure_source(Source("205-1表", confidence=Confidence.CONFIRMED), synthetic=True)
    record(
        [Figure("energy_use", UNIT, "2018-02", filed, "吨标准煤", "filed", source, "electricity", "t")],
        kind="filing",
        title="t",
        by="t",
        catalogue=view.catalogue(),
    )
    found = {c.period.code: c for c in settle.compared(UNIT)}
    assert found["2018-02"].beyond
    assert found["2018-02"].share is not None
    assert round(found["2018-02"].share, 3) == Decimal("-0.070")
    assert found["2018-01"].filed is None
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = client.get(reverse("telemetry_energy_unit", args=[UNIT])).content.decode()
    assert "相差过大，提请核实" in page
    page = client.get(reverse("telemetry_energy"), {"month": "2018-01"}).content.decode()
    assert "日月偏差过大" in page
    client.force_login(
        User.objects.create_user("other", role=Role.ENTERPRISE, unit="X"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get(reverse("telemetry_energy_unit", args=[UNIT])).status_code == 403


def test_an_exchange_is_recorded_by_a_person_and_settled_at_once(plant: Plant, client: Client) -> None:
    march = [r for r in readings(Decimal(0)) if datetime(2018, 3, 1) <= r[0] <= datetime(2018, 4, 1)]  # noqa: DTZ001
    at = datetime(2018, 3, 10, 8, 5)  # noqa: DTZ001
    final = next(v for t, v in march if t == datetime(2018, 3, 10, 8)) + 2  # noqa: DTZ001
    plant.upload([(t, v if t < at else v - final) for t, v in march])
    (before,), recorded = settle.settle("2018-03")
    assert recorded is None
    assert (before.whole, before.unknown) == (False, 1)
    meter = EnergyMeter.objects.get()
    where = reverse("telemetry_meter", args=[meter.pk])
    given = {
        "act": "exchange",
        "moment": "2018-03-10T08:05",
        "final": str(final),
        "first": "0",
        "reason": "到期轮换，换表单第3号",
    }
    client.force_login(
        User.objects.create_user("audit", role=Role.AUDITOR), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.post(where, given).status_code == 403
    client.force_login(
        User.objects.create_user("lead", role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert "没有写明换表的说明" in client.post(where, {**given, "reason": ""}).content.decode()
    assert "旧表止码" in client.post(where, {**given, "final": "-1"}).content.decode()
    assert client.post(where, given).status_code == 302
    assert MeterExchange.objects.count() == 1
    (after,) = settle.of_month("2018-03")
    assert (after.whole, after.exchanged, Decimal(after.amount)) == (True, 1, used(3))
    assert client.get(where).status_code == 200
    assert Observation.objects.filter(indicator=settle.INDICATOR, period="2018-03").count() == 1


def test_slots_reported_as_used_are_summed_and_a_missing_one_is_not_zero(plant: Plant) -> None:
    april = [(t, v) for t, v in usage() if t.month == 4]
    EnergyMeter.objects.create(unit=UNIT, device=DEVICE, code=CODE, carrier="electricity", measure="kWh", form="slot")
    plant.upload(april[:100] + april[101:])
    (lacking,), recorded = settle.settle("2018-04")
    assert recorded is None
    assert (lacking.whole, lacking.have, lacking.unknown) == (False, 30 * 96 - 1, 1)
    plant.upload([april[100]])
    (whole,), recorded = settle.settle("2018-04")
    assert recorded is not None
    assert (whole.whole, Decimal(whole.amount)) == (True, used(4))
