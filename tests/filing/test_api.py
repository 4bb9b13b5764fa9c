"""The API: what it answers is what it documents, whatever it is sent; writes are done once; nothing is overwritten unseen."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from lvheng.filing import content, forms, rate, services, tokens
from lvheng.filing.models import ApiRate, ApiToken, Filing, FilingVersion, IdempotencyKey, Step
from tests.filing.test_races import race
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase
from tests.support.server import City

pytestmark = pytest.mark.django_db
KEEPS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


@pytest.fixture
def key(town: People) -> str:
    return tokens.issue(town.enterprise, "试验", "30")


def call(key: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    more = {f"HTTP_{k.upper()}": v for k, v in headers.items()} | (
        {"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}
    )
    return Client().generic(method, f"/api{path}", "" if body is None else json.dumps(body), "application/json", **more)


def sheets(data: forms.Data) -> dict[str, Any]:
    return {"sheets": {name: [row.cells for row in rows] for name, rows in data.items()}}


def begin(key: str) -> int:
    response = call(key, "POST", "/filings", {"form": FORM, "body": credit_code(1), "period": PERIOD.code})
    assert response.status_code == 201, response.content.decode()
    return int(response.json()["id"])


def test_a_body_files_through_the_api_as_through_the_pages(key: str) -> None:
    pk = begin(key)
    written = call(key, "PUT", f"/filings/{pk}", sheets(purchase()))
    assert written.status_code == 200, written.content.decode()
    assert written.json()["findings"] == []
    assert call(key, "POST", f"/filings/{pk}/submit", {}).json()["state"] == "submitted"
    again = call(key, "PUT", f"/filings/{pk}", sheets(purchase("2")))
    assert again.status_code == 409
    assert again["Content-Type"] == "application/problem+json"
    assert again.json()["problems"][0]["code"] == "filing.sealed"
    assert call(key, "POST", f"/filings/{pk}/withdraw").json()["state"] == "draft"


def test_a_dry_run_writes_nothing_until_it_is_confirmed(key: str) -> None:
    pk = begin(key)
    job = call(key, "POST", f"/filings/{pk}/dry-run", sheets(purchase())).json()
    assert (job["state"], job["summary"]["new"]) == ("ready", 2)
    assert FilingVersion.objects.get(filing=pk).data == {}
    assert call(key, "POST", f"/filings/{pk}/imports/{job['id']}/confirm").status_code == 200
    assert content.value_at(FilingVersion.objects.get(filing=pk).data, ("energy", "electricity", "use")) == "1000"
    assert call(key, "POST", f"/filings/{pk}/imports/{job['id']}/undo").status_code == 200
    assert FilingVersion.objects.get(filing=pk).data == {}


def test_faults_name_cell_and_remedy(key: str) -> None:
    pk = begin(key)
    call(key, "PUT", f"/filings/{pk}", sheets(purchase(use_feedstock="5000")))
    refused = call(key, "POST", f"/filings/{pk}/submit", {})
    assert refused.status_code == 422
    fault = refused.json()["problems"][0]
    assert (fault["sheet"], fault["key"], fault["column"]) == ("energy", "electricity", "use_feedstock")
    assert fault["fix"]


def test_the_same_write_sent_twice_is_done_once(key: str) -> None:
    body = {"form": FORM, "body": credit_code(1), "period": PERIOD.code}
    first = call(key, "POST", "/filings", body, idempotency_key="a-1")
    pk = first.json()["id"]
    call(key, "PUT", f"/filings/{pk}", sheets(purchase()))
    one = call(key, "POST", f"/filings/{pk}/submit", {}, idempotency_key="a-2")
    two = call(key, "POST", f"/filings/{pk}/submit", {}, idempotency_key="a-2")
    assert (one.status_code, two.status_code) == (200, 200)
    assert one.json() == two.json()
    assert Step.objects.filter(action="submit").count() == 1
    other = call(key, "POST", f"/filings/{pk}/withdraw", idempotency_key="a-2")
    assert other.status_code == 422
    assert IdempotencyKey.objects.count() == 2


def test_text_that_a_database_refuses_is_kept_without_what_it_refuses(key: str) -> None:
    pk = begin(key)
    call(key, "PUT", f"/filings/{pk}", sheets(purchase()))
    assert call(key, "POST", f"/filings/{pk}/submit", {"note": "lone \ud9d6"}).status_code == 422
    assert call(key, "POST", f"/filings/{pk}/submit", {"note": "原\0因"}).status_code == 200
    assert FilingVersion.objects.get(filing=pk).note == "原\ufffd因"
    assert call(key, "GET", "/filings?state=%00").status_code == 422


def test_a_failed_write_leaves_its_key_free(key: str) -> None:
    pk = begin(key)
    assert call(key, "POST", f"/filings/{pk}/submit", {}, idempotency_key="b").status_code == 422
    call(key, "PUT", f"/filings/{pk}", sheets(purchase()))
    assert call(key, "POST", f"/filings/{pk}/submit", {}, idempotency_key="b").status_code == 200


def test_tags_spare_reading_and_guard_writing(town: People, key: str) -> None:
    pk = begin(key)
    tag = call(key, "GET", f"/filings/{pk}")["ETag"]
    assert call(key, "GET", f"/filings/{pk}", if_none_match=tag).status_code == 304
    services.save_draft(town.colleague, pk, purchase())
    assert call(key, "GET", f"/filings/{pk}", if_none_match=tag).status_code == 200
    assert call(key, "PUT", f"/filings/{pk}", sheets(purchase("9")), if_match=tag).status_code == 412
    fresh = call(key, "GET", f"/filings/{pk}")["ETag"]
    assert call(key, "PUT", f"/filings/{pk}", sheets(purchase("9")), if_match=fresh).status_code == 200


def test_a_tag_that_a_proxy_weakened_is_known_and_an_answer_gives_another(town: People, key: str) -> None:
    pk = begin(key)
    call(key, "PUT", f"/filings/{pk}", sheets(purchase(use_feedstock="5000")))
    read = call(key, "GET", f"/filings/{pk}")
    tag, asked = read["ETag"], next(f for f in read.json()["findings"] if f["check"])
    for held in (f"W/{tag}", f'"x", W/{tag}', "*"):
        assert call(key, "GET", f"/filings/{pk}", if_none_match=held).status_code == 304
    given = {"check": asked["check"], "sheet": asked["sheet"], "key": asked["key"], "column": asked["column"], "reason": "已核对原始凭证"}  # fmt: skip
    assert call(key, "POST", f"/filings/{pk}/answers", given).status_code == 200
    answered = call(key, "GET", f"/filings/{pk}", if_none_match=tag)
    assert answered.status_code == 200
    services.end_answer(town.enterprise, pk, Filing.objects.get(pk=pk).answers.get().pk)
    assert call(key, "GET", f"/filings/{pk}", if_none_match=answered["ETag"]).status_code == 200
    assert call(key, "PUT", f"/filings/{pk}", sheets(purchase()), if_match=f"W/{tag}").status_code == 412


def test_every_fault_is_a_problem_in_chinese(
    key: str, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pk = begin(key)

    def told(response: Any, status: int) -> None:
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
        said = response.json()
        assert said["status"] == status
        assert not said["title"].isascii()
        assert said["problems"][0]["fix"]

    told(call(key, "GET", "/no/such/address"), 404)
    wrong = call(key, "DELETE", f"/filings/{pk}")
    told(wrong, 405)
    assert "PUT" in wrong["Allow"]
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 64
    told(call(key, "PUT", f"/filings/{pk}", sheets(purchase())), 413)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20

    def broken(*_given: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(content, "findings", broken)
    failed = call(key, "PUT", f"/filings/{pk}", sheets(purchase()))
    told(failed, 500)
    assert "secret" not in failed.content.decode()
    assert "RuntimeError: secret detail" in caplog.text, "the traceback is in the log"
    assert Client().get("/api/docs")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5000])
def test_what_is_no_number_is_refused_at_reading(town: People, key: str, number: str) -> None:
    pk = begin(key)
    body = '{"sheets": {"energy": [{"fuel": "electricity", "use": %s}]}, "edits": 0}' % number  # noqa: UP031
    sent = Client().generic("PUT", f"/api/filings/{pk}", body, "application/json", HTTP_AUTHORIZATION=f"Bearer {key}")
    assert (sent.status_code, sent["Content-Type"]) == (400, "application/problem+json")
    client = Client()
    client.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(f"/filing/{pk}/save/", body, content_type="application/json").status_code == 422
    assert FilingVersion.objects.get(filing=pk).data == {}


def test_crafted_numbers_and_shapes_are_refused_and_change_nothing(town: People, key: str) -> None:
    pk, client, long = begin(key), Client(), "9" * 5000
    client.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    for body in (
        f'{{"edits": {long}, "sheets": {{}}}}', '{"edits": 0, "sheets": {}, "shown": [1]}', '{"edits": "0"}', "[1]", "1",
    ):  # fmt: skip
        saved = client.post(f"/filing/{pk}/save/", body, content_type="application/json")
        assert saved.status_code == 422, body[:40]
        assert saved.json()["problems"]
    assert client.get(f"/filing/{pk}/?version={long}").status_code == 200
    assert client.post("/filing/keys/", {"name": "试验", "days": long}).status_code == 422
    client.post(f"/filing/{pk}/do/submit/", {"edits": long})
    version = FilingVersion.objects.get(filing=pk)
    assert (version.data, version.state, version.edits) == ({}, "draft", 0)


def test_a_stale_write_with_a_key_is_refused_each_time_and_uses_no_key_up(key: str) -> None:
    pk = begin(key)
    for _ in range(2):
        stale = call(key, "PUT", f"/filings/{pk}", sheets(purchase()), if_match='"x"', idempotency_key="alt")
        assert (stale.status_code, stale["Content-Type"]) == (412, "application/problem+json")
    done = call(key, "PUT", f"/filings/{pk}", sheets(purchase()), if_match="*", idempotency_key="alt")
    assert done.status_code == 200, done.content.decode()


def test_numbers_keep_every_digit_that_they_are_sent_with(key: str) -> None:
    pk, sent = begin(key), sheets(purchase())
    row = next(r for r in sent["sheets"]["energy"] if r["fuel"] == "electricity")
    for written, kept in (
        ("1234567890123456.78", "1234567890123456.78"),
        ("1.5e-7", "0.00000015"),
        ("1e999999999", "1E+999999999"),
    ):
        body = json.dumps({"sheets": {"energy": [{**row, "use": "@"}]}}).replace('"@"', written)
        headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
        answer = Client().generic("PUT", f"/api/filings/{pk}", body, "application/json", **headers).json()
        assert answer["sheets"]["energy"][0]["use"] == kept


def test_what_the_request_lacks_is_said_in_chinese(key: str) -> None:
    for method, path, body in (("POST", "/filings", {"form": "x" * 65}), ("GET", "/filings?page=0", None)):
        told = call(key, method, path, body).json()["problems"]
        assert not [p["wanted"] for p in told if p["wanted"].isascii()]


def test_keys_end_and_are_shown_once(town: People, key: str) -> None:
    assert call(key, "GET", "/forms").status_code == 200
    assert not ApiToken.objects.filter(digest=key).exists()
    tokens.revoke(town.other_enterprise, ApiToken.objects.get().pk)
    assert call(key, "GET", "/forms").status_code == 200, "only its holder revokes a key"
    tokens.revoke(town.enterprise, ApiToken.objects.get().pk)
    assert call(key, "GET", "/forms").status_code == 401
    assert call("", "GET", "/forms")["WWW-Authenticate"] == "Bearer"


def test_lists_come_in_pages(town: People, key: str) -> None:
    begin(key)
    first = call(key, "GET", "/filings").json()
    assert (first["count"], len(first["items"])) == (1, 1)
    assert call(key, "GET", "/filings?page=2").json()["items"] == []
    assert call(key, "GET", "/filings?page=0").status_code == 422


def test_too_many_requests_are_told_to_wait(town: People, key: str) -> None:
    assert {call("", "GET", "/forms").status_code for _ in range(10)} == {401}, "turned away before they are counted"
    spend(key)
    refused = call(key, "GET", "/forms/none/schema")
    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert int(refused["Retry-After"]) >= 1
    assert refused.json()["problems"][0]["code"] == "filing.api.rate"
    other = tokens.issue(town.enterprise, "另一个系统", "30")
    assert call(other, "GET", "/forms").status_code == 200, (
        "a key that asks too often slows no other, not even its holder's"
    )


def spend(key: str) -> None:
    """Use the whole allowance of a key, as another worker process would: through the database."""
    held = tokens.holder(key)
    assert held is not None
    soon = time.time() + rate.SECONDS  # ahead, so that a slow machine refills nothing meanwhile
    while not rate.take(held.pk, soon):
        pass


@pytest.mark.parametrize("pace", [0.1, 0.25, 1.0])
def test_an_allowance_refills_evenly_and_the_wait_is_true(db: None, pace: float) -> None:
    taken, now = 0, 1_000_000.0
    while now < 1_000_120:
        wait = rate.take(1, now)
        if wait:
            assert rate.take(1, now + wait) == 0, "after the wait there is one"
            now += wait
        taken += 1
        now += pace
    assert taken <= rate.REQUESTS + 120 / (rate.SECONDS / rate.REQUESTS) + 1
    if pace >= rate.SECONDS / rate.REQUESTS:
        assert taken == pytest.approx(120 / pace, abs=1), "who keeps the pace is never refused"


def test_the_allowance_is_one_for_all_processes(city: City) -> None:
    """Four processes spend one key's allowance at once; together they get what one would."""
    said = race(city, """
from lvheng.filing import rate
n = sum(rate.take(77, 2_000_000.0) == 0 for _ in range(100))
print(n)
""")  # fmt: skip
    assert sum(map(int, said)) == rate.REQUESTS


def test_whatever_is_sent_the_answer_is_as_documented(town: People, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.signals import request_finished, request_started
    from django.db import close_old_connections

    from lvheng.web.wsgi import application

    for signal in (
        request_started,
        request_finished,
    ):  # as the test client does: the connection holds the test's transaction
        monkeypatch.setattr(signal, "receivers", [r for r in signal.receivers if r[0][0] != id(close_old_connections)])
        signal.sender_receivers_cache.clear()
    filing = services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    services.save_draft(town.enterprise, filing.pk, purchase())
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", application)
    checks = CHECKS.get_by_names(list(KEEPS))
    faults: list[str] = []
    seen: set[int] = set()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 17
    for operation in operations:

        @settings(
            max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            ApiRate.objects.all().delete()  # the rate is another test's business
            if "pk" in (case.path_parameters or {}):
                case.path_parameters["pk"] = filing.pk
            seen.add(case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=checks).status_code)

        try:
            send()
        except Exception as error:
            faults.append(f"{operation.label}: {str(error)[:600]}")
    assert not faults, "\n\n".join(faults)
    assert {200, 422} <= seen, "the requests reached the services"
    assert Filing.objects.filter(pk=filing.pk).exists()
