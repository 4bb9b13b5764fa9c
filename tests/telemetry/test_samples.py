"""Real measurements of foreign plants through the whole path, from the project's own ``data/telemetry-samples``.

Steel works 15-minute energy (UCI 851), waste-water plant daily (Melbourne Water Eastern Treatment Plant), gas turbine NOx
hourly (UCI 551). What goes in must come out: every value with its digits.
"""

import asyncio
import csv
import gzip
import io
import json
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Device, MemoryRegistry
from lvheng.telemetry.energy_gateway.app import EnergyApp
from lvheng.telemetry.ingest import Clock, Decoder
from lvheng.telemetry.journal import Journal
from lvheng.telemetry.lake import Lake, connect

from .energy_gateway.test_adapter import post
from .gateway.support import Client, running

SAMPLES = Path(__file__).parents[2] / "data" / "telemetry-samples"
LONG_AGO = Clock(past=timedelta(days=40_000))
MN = "F" * 24


def table(pattern):
    path = next(SAMPLES.glob(pattern))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def through_the_gateway(tmp_path, st, cn, rows):
    """``rows`` of (time, [(code, suffix, text)]) over a socket into the lake; what the lake then holds."""
    registry = MemoryRegistry([Device(MN, "123456", st=st)])

    async def run():
        async with running(tmp_path, registry.devices.values()) as (_gateway, port):
            client = await Client.connect(port)
            for at in range(0, len(rows), 1000):
                part = rows[at : at + 1000]
                for when, values in part:
                    factors = [(code, {suffix: text, "Flag": "N"}) for code, suffix, text in values]
                    client.send(
                        hj212.upload(cn, st=st, mn=MN, data_time=when, factors=factors, qns=[hj212.make_qn(when)])[0]
                    )
                for _ in part:
                    assert (await client.packet()).cn == "9014"
            await client.close()

    asyncio.run(run())
    lake = Lake(tmp_path / "lake")
    Decoder(tmp_path / "journal", lake, registry, clock=LONG_AGO).run()
    with connect(lake.root) as db:
        return db.execute("select data_time, code, suffix, value_text, value from effective order by all").fetchall()


def expected(rows):
    return sorted((when, code, suffix, text, float(text)) for when, values in rows for code, suffix, text in values)


def test_a_waste_water_plants_days(tmp_path):
    rows = []
    names = (("Chemical Oxygen Demand", "w01018"), ("Ammonia", "w21003"), ("Total Nitrogen", "w21001"))
    for row in table("melbourne*.csv"):
        when = datetime(int(float(row["Year"])), int(float(row["Month"])), int(float(row["Day"])))  # noqa: DTZ001
        rows.append((when, [(code, "Avg", f"{Decimal(row[name]):f}") for name, code in names]))
    assert through_the_gateway(tmp_path, "32", "2031", rows) == expected(rows)


def test_a_gas_turbines_hours(tmp_path):
    data = table("uci_gas_turbine*")
    nox = next(k for k in data[0] if k.lower() in ("nox", "nitrogen oxides", "nitrogen_oxides") or "itrogen" in k)
    rows = [
        (datetime(2011, 1, 1) + timedelta(hours=n), [("a21002", "Avg", f"{Decimal(r[nox]):f}")])  # noqa: DTZ001
        for n, r in enumerate(data)
    ]
    assert through_the_gateway(tmp_path, "31", "2061", rows) == expected(rows)


def test_a_steel_works_quarter_hours(tmp_path):
    days: dict[str, list[dict[str, str]]] = {}
    total = Decimal(0)
    count = Counter()
    for row in table("uci_steel*"):
        when = datetime.strptime(row["date"], "%d/%m/%Y %H:%M")  # noqa: DTZ007
        text = row[next(k for k in row if k.startswith("Usage_kWh"))]
        total += Decimal(text)
        count[when] += 1
        days.setdefault(row["date"][:10], []).append(
            {"dataCode": "01003300", "dataValue": text, "statType": "0", "statDate": f"{when:%Y-%m-%d %H:%M:%S}"}
        )
    assert max(count.values()) == 1

    async def run():
        app = EnergyApp(Journal(tmp_path / "journal", "energy"), tokens={"X": "t"})
        for items in days.values():
            body = {"enterpriseCode": "X", "deviceId": "M1", "data": items}
            status, answer = await post(app, json.dumps(body).encode())
            assert (status, answer["responseCode"]) == (200, "0000")
        app.journal.close()

    asyncio.run(run())
    lake = Lake(tmp_path / "lake")
    Decoder(tmp_path / "journal", lake, MemoryRegistry(), clock=LONG_AGO).run()
    with connect(lake.root) as db:
        texts = [t for (t,) in db.execute("select value_text from effective where st = 'E0'").fetchall()]
    assert len(texts) == sum(count.values())
    assert sum(map(Decimal, texts)) == total
