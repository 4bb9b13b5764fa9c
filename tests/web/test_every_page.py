"""Every page that the catalogue and the plan lead to: it answers, and shows words where the data have codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from lvheng.access.roles import Role

if TYPE_CHECKING:
    from lvheng.observations.view import View
    from tests.web.conftest import SignedIn

CODE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")


class Words(HTMLParser):
    """The text of a page that a person reads; references (small and grey) and what is typed are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.silent, self.text = 0, []
        self.text: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.silent += tag in ("script", "style", "code")
        if tag == "a" and (address := given.get("href")):
            self.links.append(address)

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self.silent and data.strip():
            self.text.append(data.strip())


def read(client: Client, address: str, status: int = 200) -> Words:
    response = client.get(address)
    assert response.status_code == status, (address, response.status_code)
    page = Words()
    page.feed(response.content.decode())
    return page


@pytest.fixture
def published_view(plan_view: View) -> View:
    from lvheng.observations import view
    from lvheng.observations.services import load_published

    load_published()
    return view.current()


def test_no_code_stands_where_a_word_belongs(published_view: View, client: Client) -> None:
    seen = []
    for index, prefix in (
        ("/rules/", "/rule/"),
        ("/indicators/", "/indicator/"),
        ("/bodies/", "/body/"),
        ("/regions/", "/region/"),
    ):
        addresses = sorted({link for link in read(client, index).links if link.startswith(prefix) and "?" not in link})
        assert addresses, index
        for address in [index, *addresses]:
            seen += [(address, text) for text in read(client, address).text if CODE.search(text) and "://" not in text]
    for target in published_view.plan.targets:
        seen += [(target.id, text) for text in read(client, f"/target/{target.id}/").text if CODE.search(text)]
    assert seen == []


def test_the_catalogue_names_the_targets_of_an_indicator(plan_view: View, client: Client) -> None:
    text = read(client, "/indicators/").text
    assert not [t for t in text if re.fullmatch(r"T\d+(、T\d+)*", t)]
    assert plan_view.plan.targets[0].title in text


def test_an_indicator_of_days_or_plan_periods_has_its_page(published_view: View, client: Client) -> None:
    odd = [i.code for i in published_view.catalogue if i.frequency.per_year is None]
    assert odd
    for code in odd:
        assert read(client, f"/indicator/{code}/").text


def test_a_place_in_a_published_table_is_named_by_its_title(published_view: View, signed_in: SignedIn) -> None:
    from lvheng.observations.models import Observation

    figure = Observation.objects.order_by("pk").first()
    assert figure is not None
    assert re.fullmatch(r"表“.+”第\d+行", figure.reference)
    assert figure.reference in read(signed_in(Role.LEAD), f"/observation/{figure.pk}/").text


def test_a_moment_is_told_by_its_day_in_the_city() -> None:
    from lvheng.shell.words import date_label

    assert date_label(datetime(2026, 11, 22, 22, 0, tzinfo=UTC)) == "2026年11月23日"
