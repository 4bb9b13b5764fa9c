"""The second factor: set up, asked for at signing in, used once, counted when wrong, taken away only by who may."""

from __future__ import annotations

import re
import time
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from lvheng.access import second_factor, services
from lvheng.access.models import AuditEvent, User
from lvheng.core.problem import ProblemError
from tests.filing.town import People

PASSWORD = "长乐-江田-7731-潮"


class Telephone:
    """What the person holds: the secret, and a clock that the test moves on."""

    def __init__(self, device: TOTPDevice) -> None:
        self.key, self.at = device.bin_key, time.time()

    def code(self) -> str:
        totp = TOTP(self.key)
        totp.time = self.at
        return f"{totp.token():06d}"

    def later(self, seconds: int = 30) -> Telephone:
        self.at += seconds
        return self


@pytest.fixture
def clock() -> Any:
    """The server's clock follows the telephone's; waiting after a wrong code is over at once."""
    now = {"at": time.time()}
    with mock.patch("django_otp.plugins.otp_totp.models.time.time", side_effect=lambda: now["at"]):
        yield now


@pytest.fixture
def person(town: People) -> User:
    town.enterprise.set_password(PASSWORD)
    town.enterprise.save()
    return town.enterprise


def turn_on(user: User, clock: dict[str, float]) -> tuple[Telephone, list[str]]:
    phone = Telephone(second_factor.begin(user))
    codes = second_factor.confirm(user, phone.code())
    phone.later()
    clock["at"] = phone.at
    return phone, codes


def no_waiting(user: User) -> None:
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=None, throttling_failure_count=0)


def sign_in(password: str = PASSWORD) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/sign-in/", {"username": "enterprise", "password": password, "next": "/account/"})


def signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_without_it_a_password_is_enough(person: User) -> None:
    client, response = sign_in()
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert signed_in(client)


def test_a_person_sets_it_up_on_its_own_pages(person: User, clock: dict[str, float]) -> None:
    client, _ = sign_in()
    page = client.get("/account/second-factor/").content.decode()
    assert "data:image/svg+xml" in page
    device = TOTPDevice.objects.get(user=person, confirmed=False)
    assert second_factor.secret(device) in page
    assert second_factor.device(person) is None, "nothing is on before the first code"
    wrong = client.post(
        "/account/second-factor/confirm/", {"code": "000000" if Telephone(device).code() != "000000" else "111111"}
    )
    assert wrong.status_code == 422
    no_waiting(person)
    done = client.post("/account/second-factor/confirm/", {"code": Telephone(device).code()}).content.decode()
    shown = re.findall(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>", done)
    assert len(shown) == second_factor.CODES
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {c.replace("-", "") for c in shown}, "the table holds digests only"
    assert second_factor.device(person) is not None
    assert AuditEvent.objects.filter(action="开启两步验证", subject="enterprise").exists()


def test_signing_in_asks_for_the_code_and_nothing_opens_before(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    client, response = sign_in()
    assert response["Location"] == "/sign-in/code/"
    assert not signed_in(client)
    assert client.get("/sign-in/code/").status_code == 200
    done = client.post("/sign-in/code/", {"code": phone.code()})
    assert done["Location"] == "/account/"
    assert signed_in(client)


def test_a_code_is_taken_once(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    code = phone.code()
    first, _ = sign_in()
    assert first.post("/sign-in/code/", {"code": code}).status_code == 302
    second, _ = sign_in()
    assert second.post("/sign-in/code/", {"code": code}).status_code == 422
    assert not signed_in(second)
    no_waiting(person)
    clock["at"] = phone.later().at
    assert second.post("/sign-in/code/", {"code": phone.code()}).status_code == 302


def test_codes_may_be_written_as_people_write_them(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    code = phone.code()
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    second_factor.check(person, f" {wide[:3]} {wide[3:]} ")


def test_a_recovery_code_is_taken_once_and_fresh_ones_end_the_old(person: User, clock: dict[str, float]) -> None:
    phone, codes = turn_on(person, clock)
    client, _ = sign_in()
    assert client.post("/sign-in/code/", {"code": codes[0].upper()}).status_code == 302
    assert second_factor.codes_left(person) == second_factor.CODES - 1
    with pytest.raises(ProblemError):
        second_factor.check(person, codes[0])
    StaticToken.objects.all()[0].device.throttle_reset()
    fresh = second_factor.renew_codes(person, phone.code())
    with pytest.raises(ProblemError):
        second_factor.check(person, codes[1])
    StaticToken.objects.all()[0].device.throttle_reset()
    second_factor.check(person, fresh[0])


def test_wrong_codes_are_counted_by_the_lock_out(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    client, _ = sign_in()
    bad = "000000" if phone.code() != "000000" else "111111"
    for n in range(5):
        response = client.post("/sign-in/code/", {"code": bad})
        assert response.status_code == (422 if n < 4 else 429), n
    no_waiting(person)
    assert client.post("/sign-in/code/", {"code": phone.code()}).status_code == 429, "the right one no longer helps"
    assert not signed_in(client)
    _, again = sign_in()
    assert again.status_code in (403, 429), "nor the password"


def test_guessing_gets_slower(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    for _n in range(3):
        with pytest.raises(ProblemError):
            second_factor.check(person, "1")
    bad = "000000" if phone.code() != "000000" else "111111"
    with pytest.raises(ProblemError):
        second_factor.check(person, bad)
    with pytest.raises(ProblemError):
        second_factor.check(person, phone.code())


def test_a_password_step_does_not_outlive_a_changed_password_or_ten_minutes(
    person: User, clock: dict[str, float]
) -> None:
    phone, _ = turn_on(person, clock)
    client, _ = sign_in()
    person.set_password(PASSWORD + "2")
    person.save()
    assert client.post("/sign-in/code/", {"code": phone.code()})["Location"] == "/sign-in/"
    person.set_password(PASSWORD)
    person.save()
    client, _ = sign_in()
    with mock.patch("lvheng.access.sign_in.time.time", return_value=clock["at"] + 601):
        assert client.post("/sign-in/code/", {"code": phone.code()})["Location"] == "/sign-in/"


def test_switching_off_takes_password_and_code(person: User, clock: dict[str, float]) -> None:
    phone, _ = turn_on(person, clock)
    with pytest.raises(ProblemError):
        second_factor.switch_off(person, "wrong", phone.code())
    with pytest.raises(ProblemError):
        second_factor.switch_off(person, PASSWORD, "")
    no_waiting(person)
    second_factor.switch_off(person, PASSWORD, phone.code())
    assert second_factor.device(person) is None
    assert AuditEvent.objects.filter(action="关闭两步验证").exists()


def test_an_administrator_resets_it_and_nobody_else_does(town: People, person: User, clock: dict[str, float]) -> None:
    turn_on(person, clock)
    for name, other in town.every().items():
        if name != "administrator":
            with pytest.raises(ProblemError):
                second_factor.reset(other, person.pk)
    second_factor.reset(town.administrator, person.pk)
    assert second_factor.device(person) is None
    assert AuditEvent.objects.filter(action="重置两步验证", subject="enterprise", actor="administrator某").exists()
    turn_on(town.administrator, clock)
    with pytest.raises(ProblemError):
        second_factor.reset(town.administrator, town.administrator.pk)


def test_a_role_that_must_have_it_sets_it_up_before_the_first_page(
    town: People, person: User, clock: dict[str, float]
) -> None:
    with pytest.raises(ProblemError):
        second_factor.require(person, ["enterprise"])
    second_factor.require(town.administrator, ["enterprise"])
    client, response = sign_in()
    assert response["Location"] == "/sign-in/enrol/"
    assert not signed_in(client)
    assert "data:image/svg+xml" in client.get("/sign-in/enrol/").content.decode()
    phone = Telephone(TOTPDevice.objects.get(user=person))
    assert client.post("/sign-in/enrol/", {"code": phone.code()}).status_code == 200
    assert signed_in(client)
    clock["at"] = phone.later().at
    with pytest.raises(ProblemError, match="不能关闭"):
        second_factor.switch_off(person, PASSWORD, phone.code())
    assert AuditEvent.objects.filter(action="更改设置", subject="要求两步验证的角色").exists()


def test_keys_to_the_api_need_no_code(town: People, person: User, clock: dict[str, float]) -> None:
    from lvheng.filing import tokens

    key = tokens.issue(person, "试验", "30")
    turn_on(person, clock)
    second_factor.require(town.administrator, ["enterprise"])
    assert Client().get("/api/forms", HTTP_AUTHORIZATION=f"Bearer {key}").status_code == 200


def test_an_administrator_gives_a_link_for_a_forgotten_password_that_holds_once(town: People, person: User) -> None:
    link = services.reset_link(town.administrator, person.pk)
    client = Client()
    address = f"/reset/{link[0]}/{link[1]}/"
    assert client.get(address).status_code == 200
    assert client.post(address, {"password": "1234567890"}).status_code == 422
    assert client.post(address, {"password": PASSWORD + "新"}).status_code == 302
    assert User.objects.get(pk=person.pk).check_password(PASSWORD + "新")
    assert client.get(address).status_code == 404
    assert client.get("/reset/MQ/x-y/").status_code == 404
    with pytest.raises(ProblemError):
        services.reset_link(person, person.pk)
