"""After a change the session holds how far the audit chain was, so that the next page includes the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvheng.access.roles import Role

if TYPE_CHECKING:
    from django.test import Client

    from tests.web.conftest import Put, SignedIn


def test_reading_leaves_no_mark_and_a_change_does(signed_in: SignedIn, put: Put, plan_view: object) -> None:
    from lvheng.observations.serving import last_event
    from lvheng.shell.sight import CHANGED

    client: Client = signed_in(Role.LEAD)
    client.get("/plan/")
    assert CHANGED not in client.session
    put("energy_total", "350100", {"2020": 1})
    assert client.post("/language/", {"language": "en"}).status_code == 302
    assert client.session[CHANGED] == last_event() > 0


def test_a_change_that_was_refused_leaves_no_mark(signed_in: SignedIn) -> None:
    from lvheng.shell.sight import CHANGED

    client: Client = signed_in(Role.PUBLIC)
    assert client.post("/no-such-page/").status_code == 404
    assert CHANGED not in client.session
