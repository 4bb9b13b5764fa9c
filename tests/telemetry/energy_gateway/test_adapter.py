"""The energy adapter and its ASGI application."""

import asyncio
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.telemetry import journal
from lvheng.telemetry.devices import MemoryRegistry
from lvheng.telemetry.energy_gateway.adapter import Adapter
from lvheng.telemetry.energy_gateway.app import EnergyApp, TokenFile, serve
from lvheng.telemetry.hj212.tables import load_document
from lvheng.telemetry.ingest import Clock, Decoder
from lvheng.telemetry.journal import Journal
from lvheng.telemetry.lake import Lake, connect

ITEM = {
    "dataCode": "01003300",
    "dataValue": "12.50",
    "statType": "0",
    "statDate": "2026-06-01 00:15:00",
    "inputType": "1",
}
BODY = {"enterpriseCode": "91350100M0001", "deviceId": "D1", "data": [ITEM]}


def body(**changes):
    return json.dumps({**BODY, **changes}).encode()


def test_items_are_read_by_the_field_map():
    upload = Adapter().read(body())
    (item,) = upload.items
    assert (item.enterprise, item.code, item.cycle, item.value, item.text) == (
        "91350100M0001", "01003300", "quarter", Decimal("12.50"), "12.50",
    )  # fmt: skip
    assert item.time == datetime(2026, 6, 1, 0, 15)  # noqa: DTZ001
    assert (item.carrier, item.unit) == ("electricity", "kWh")
    assert not upload.problems


def test_another_field_map_reads_another_message():
    schema = {**load_document("energy_upload.yaml")}
    schema["fields"] = {**schema["fields"], "enterprise": "head.org", "items": "body.rows"}
    data = {"head": {"org": "X"}, "deviceId": "D", "body": {"rows": [ITEM]}}
    upload = Adapter(schema).read(json.dumps(data).encode())
    assert (upload.enterprise, len(upload.items)) == ("X", 1)


def test_numbers_keep_their_digits():
    raw = body().replace(b'"12.50"', b"0.30000000000000004440892098500626")
    assert Adapter().read(raw).problems  # more than 32 characters: refused, not rounded
    raw = body().replace(b'"12.50"', b"1234567890123456.123456")
    assert Adapter().read(raw).items[0].value == Decimal("1234567890123456.123456")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("dataValue", "1e5", "value"),
        ("dataValue", None, "value"),
        ("dataValue", "NaN", "value"),
        ("dataCode", "", "code"),
        ("statType", "9", "statistic"),
        ("statDate", "2026-02-31", "time"),
    ],
)
def test_a_bad_item_is_named_and_the_others_are_taken(field, value, code):
    upload = Adapter().read(body(data=[ITEM, {**ITEM, field: value}]))
    assert len(upload.items) == 1
    (problem,) = upload.problems
    assert (problem.code, problem.place.row) == (f"telemetry.energy.{code}", 2)


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "enterpriseCode", "dataCode"]), inner),
).map(lambda v: json.dumps(v).encode())))  # fmt: skip
def test_no_body_raises(raw):
    upload = Adapter().read(raw)
    assert upload.items or upload.problems


async def post(app, raw, token=b"Bearer t", path="/upload", method="POST"):
    sent = []

    async def receive():
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"authorization", token)]}
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_an_upload_is_answered_after_it_is_stored(tmp_path):
    async def run():
        taken = []
        app = EnergyApp(Journal(tmp_path, "e00"), tokens={"91350100M0001": "t"}, taken=taken.append)
        results = await asyncio.gather(*(post(app, body(deviceId=str(n))) for n in range(20)))
        assert {(s, r["responseCode"]) for s, r in results} == {(200, "0000")}
        assert len(taken) == 20
        assert (await post(app, body(), token=b"Bearer x"))[0] == 401
        assert (await post(app, body(), path="/other"))[0] == 404
        status, answer = await post(app, b"{}")
        assert status == 401
        status, answer = await post(app, body(data=[]))
        assert (status, answer["responseCode"]) == (200, "1001")
        assert (await post(app, b"[" * (5 << 20)))[0] == 413
        app.journal.close()

    asyncio.run(run())
    lake = Lake(tmp_path / "lake")
    Decoder(tmp_path, lake, MemoryRegistry(), clock=Clock(past=timedelta(days=20000))).run()
    with connect(lake.root) as db:
        rows = db.execute("select mn, st, cycle, code, value_text, value from effective order by mn").fetchall()
    assert rows[0] == ("91350100M0001/0", "E0", "quarter", "01003300", "12.50", 12.5)
    assert len(rows) == 20
    (path,) = journal.segments(tmp_path, "e00")
    records = [r for b in journal.read_blocks(path)[0] for r in b]
    assert len(records) == 20
    assert {r.kind for r in records} == {journal.ENERGY}


def test_a_full_disk_is_answered_as_busy(tmp_path, monkeypatch):
    async def run():
        app = EnergyApp(Journal(tmp_path, "e00"))

        def full(records):
            raise OSError(28, "full")

        with monkeypatch.context() as patch:
            patch.setattr(app.journal, "commit", full)
            status, answer = await post(app, body())
        assert (status, answer["responseCode"]) == (503, "5001")
        assert (await post(app, body()))[0] == 200
        app.journal.close()

    asyncio.run(run())


def test_a_new_enterprise_is_taken_without_a_restart(tmp_path, caplog):
    path = tmp_path / "energy.json"
    tokens = TokenFile(path)
    assert dict(tokens) == {}
    path.write_text('{"A": "t"}')
    assert (tokens.get("A", ""), tokens.get("B", "")) == ("t", "")
    path.write_text('{"A": "t", "B": "u"}')
    assert tokens.get("B", "") == "u"
    for broken in ('{"A": "t"', "[]", '{"A": 1}'):
        path.write_text(broken)
        assert dict(tokens) == {"A": "t", "B": "u"}
    assert caplog.text.count("仍用原有令牌") == 3
    path.unlink()
    assert dict(tokens) == {}


def test_two_energy_gateways_share_a_lake_by_names_of_their_own(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    for n, name in enumerate(("energy", "north")):
        monkeypatch.setenv("LVHENG_ENERGY_DATA", str(tmp_path / name))
        monkeypatch.setenv("LVHENG_ENERGY_NAME", name)
        app = serve()
        assert asyncio.run(post(app, body(deviceId=str(n))))[0] == 401
        (tmp_path / name / "energy.json").write_text('{"91350100M0001": "t"}')
        assert asyncio.run(post(app, body(deviceId=str(n))))[0] == 200
        app.journal.close()
        decoder = Decoder(tmp_path / name / "journal", lake, MemoryRegistry(), clock=Clock(past=timedelta(days=20000)))
        decoder.run()
        assert not decoder.refused
    with connect(lake.root) as db:
        rows = db.execute("select mn from effective order by mn").fetchall()
    assert rows == [("91350100M0001/0",), ("91350100M0001/1",)]


def test_half_a_surrogate_pair_is_no_text():
    upload = Adapter().read(body(deviceId="D\ud800", data=[{**ITEM, "dataCode": "\udc00"}, ITEM]))
    assert upload.device == "D?"
    for item in upload.items:
        assert "".join((item.enterprise, item.device, item.code, item.text)).encode()
