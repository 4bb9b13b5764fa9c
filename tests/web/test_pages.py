"""Pages by Django's client: what they answer, to whom, and what they never contain."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from django.test import Client

from lvheng.access.roles import Role
from lvheng.observations.models import Observation, Subject
from lvheng.observations.view import View
from tests.web.conftest import Put, SignedIn

HAN = re.compile(r"[\u4e00-\u9fff]")


def addresses(view: View) -> list[str]:
    """One address of every public page."""
    plan = view.plan
    target = next(t for t in plan.targets if t.counties == "each")
    return [
        "/plan/", "/plan/?sort=late", "/plan/?state=behind&kind=quantitative", f"/plan/?target={target.id}", f"/target/{target.id}/",
        f"/target/{target.id}/?region={view.counties[0].code}", "/regions/", f"/region/{view.counties[0].code}/", "/bodies/", f"/body/{plan.bodies[0].code}/",
        "/indicators/", f"/indicator/{target.indicator}/", "/rules/", "/rules/?sure=no", f"/rule/{view.rulebook.rules()[0] if callable(view.rulebook.rules) else view.rulebook.rules[0]}/",
        f"/explain/{target.indicator}/{view.city.code}/{plan.header.last_year}/", "/verification/", "/verification/?differ=1", "/search/", "/search/?q=水",
        "/sign-in/", "/plan/read/", "/shapes.json",
    ]  # fmt: skip


class Inline(HTMLParser):
    """Collects what the content security policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.faults += [f"{tag} {name}" for name in given if name == "style" or re.fullmatch(r"on[a-z]+", name)]
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.faults.append(tag)


def test_every_public_page_answers_on_an_empty_store_and_holds_nothing_inline(client: Client, plan_view: View) -> None:
    for address in addresses(plan_view):
        response = client.get(address)
        assert response.status_code == 200, address
        if response["Content-Type"].startswith("text/html"):
            parser = Inline()
            parser.feed(response.content.decode())
            assert not parser.faults, (address, parser.faults)
            assert "unsafe" not in response["Content-Security-Policy"]
            assert 'lang="zh-hans"' in response.content.decode()


def test_an_unnamed_home_leads_the_public_to_the_plan(client: Client, plan_view: View) -> None:
    assert client.get("/")["Location"] == "/plan/"


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.PUBLIC])
def test_home_says_what_waits_for_each_role(signed_in: SignedIn, plan_view: View, role: Role) -> None:
    response = signed_in(role, region=plan_view.counties[0].code if role is Role.COUNTY else "").get("/")
    assert response.status_code == 200
    assert "等我办理的事" in response.content.decode()


# --- what does not exist ----------------------------------------------------------------------------
@pytest.mark.parametrize("address", ["/nothing/", "/target/T999/", "/region/000000/", "/body/nobody/", "/indicator/nothing/", "/rule/no.rule/", "/observation/1/", "/clause/九/"])  # fmt: skip
def test_what_does_not_exist_gets_a_page_that_helps(client: Client, plan_view: View, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 404
    body = response.content.decode()
    assert "没有这个页面" in body
    assert "/plan/" in body
    assert "Traceback" not in body


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        ("/plan/?format=pdf", 400, "没有这种导出格式"),
        ("/plan/?plan=atlantis", 404, "没有这个方案"),
        ("/explain/energy_total/350100/昨天/", 400, "期间无法识别"),
        ("/explain/energy_total/350100/2024/?path=9.9", 404, "解释树中没有这一层"),
        ("/explain/energy_total/350100/2024/?path=x", 404, "解释树中没有这一层"),
    ],
)
def test_bad_input_is_told_as_a_problem(client: Client, plan_view: View, address: str, status: int, says: str) -> None:
    response = client.get(address.replace("350100", plan_view.city.code))
    assert response.status_code == status
    assert says in response.content.decode()


def test_unknown_filters_are_passed_over(client: Client, plan_view: View) -> None:
    response = client.get("/plan/?state=x&body=y&programme=z&kind=q&sort=w&target=T0")
    assert response.status_code == 200
    assert plan_view.plan.targets[-1].title in response.content.decode()


# --- the plan ---------------------------------------------------------------------------------------
def lines(client: Client, query: str) -> list[str]:
    return re.findall(r'href="/target/(T\d+)/', client.get(f"/plan/{query}").content.decode())


def test_the_plan_keeps_the_order_of_the_document(client: Client, plan_view: View) -> None:
    assert lines(client, "") == [t.id for t in plan_view.plan.targets]


def test_filters_narrow_by_body_programme_and_kind(client: Client, plan_view: View) -> None:
    plan = plan_view.plan
    body = next(b for b in plan.bodies if plan_view.body_duties(b))
    wanted = [
        t.id
        for t in plan.targets
        if any(b is not None and b.code == body.code for b, _n, _r in plan.bodies_of(t.clause))
    ]
    assert lines(client, f"?body={body.code}") == wanted
    programme = next(c for c in plan.clause_list if c.programme and plan.targets_of(c.id))
    assert lines(client, f"?programme={quote(programme.id)}") == [t.id for t in plan.targets_of(programme.id)]
    assert lines(client, "?kind=rule") == [t.id for t in plan.targets if t.is_rule]


def test_late_first_puts_the_worst_state_on_top(client: Client, plan_view: View, put: Put) -> None:
    amount = next(t for t in plan_view.plan.targets if t.measure == "cumulative_amount" and t.value)
    year = plan_view.plan.header.first_year
    put(amount.indicator, plan_view.city.code, {str(year): 0.001}, synthetic=True)
    assert lines(client, "?sort=late")[0] == amount.id
    assert lines(client, "?state=far_behind") == [amount.id]


def test_a_target_without_a_number_has_no_schedule(client: Client, plan_view: View, put: Put) -> None:
    target = next(t for t in plan_view.plan.targets if t.comparator == "qualitative" and t.indicator)
    put(target.indicator, plan_view.city.code, {str(y): 100 + y % 10 for y in range(2020, 2024)}, synthetic=True)
    rows = client.get(f"/target/{target.id}/?table=path&format=json").json()
    assert any(row["value"] is not None for row in rows)
    assert all(row["schedule"] is None for row in rows)


def test_a_part_for_htmx_is_a_part(client: Client, plan_view: View) -> None:
    target = plan_view.plan.targets[0]
    part = client.get(
        f"/plan/?target={target.id}", headers={"HX-Request": "true", "HX-Target": "margin"}
    ).content.decode()
    assert "<html" not in part
    assert target.quote in part
    page = client.get(f"/plan/?target={target.id}").content.decode()
    assert "<html" in page
    assert target.quote in page


# --- who may see what -------------------------------------------------------------------------------
def test_unpublished_figures_are_for_those_who_may_see_them(
    client: Client, signed_in: SignedIn, plan_view: View, put: Put
) -> None:
    target = next(
        t for t in plan_view.plan.targets if t.measure == "cumulative_amount" and t.value and t.counties == "share"
    )
    here, there = plan_view.counties[:2]
    year = str(plan_view.plan.header.first_year)
    put(target.indicator, here.code, {year: "123.456"})
    put(target.indicator, plan_view.city.code, {year: "987.654"})
    people = {
        "public": client, "lead": signed_in(Role.LEAD), "own": signed_in(Role.COUNTY, region=here.code), "other": signed_in(Role.COUNTY, region=there.code),
        "enterprise": signed_in(Role.ENTERPRISE, unit="U1"),
    }  # fmt: skip
    county = {who: "123.46" in c.get(f"/target/{target.id}/").content.decode() for who, c in people.items()}
    assert county == {"public": False, "lead": True, "own": True, "other": False, "enterprise": False}
    city = {who: "987.65" in c.get(f"/plan/?target={target.id}").content.decode() for who, c in people.items()}
    assert city == {"public": False, "lead": True, "own": True, "other": True, "enterprise": False}
    for path in (f"/explain/{target.indicator}/{here.code}/{year}/", f"/indicator/{target.indicator}/?region={here.code}", f"/target/{target.id}/?table=counties&format=csv"):  # fmt: skip
        assert "123.46" not in client.get(path).content.decode(), path
        assert "123.456" not in client.get(path).content.decode(), path
    assert "尚未公开" in client.get(f"/target/{target.id}/?region={here.code}").content.decode()
    pk = Observation.objects.get(subject__code=here.code).pk
    assert {who: c.get(f"/observation/{pk}/").status_code for who, c in people.items()} == {"public": 403, "lead": 200, "own": 200, "other": 403, "enterprise": 403}  # fmt: skip


def test_a_computed_number_is_as_open_as_what_it_rests_on(
    client: Client, signed_in: SignedIn, plan_view: View, put: Put
) -> None:
    city = plan_view.city.code
    put("energy_total", city, {"2020": "4000", "2023": "4100"})
    put("gdp_constant", city, {"2020": "10000", "2023": "11777"}, quality="published")
    lead = signed_in(Role.LEAD)
    address = f"/explain/energy_intensity_decline/{city}/2023/"
    for path in ("", "?path=0", "?path=0.0", "?format=csv"):
        theirs, ours = (c.get(address + path).content.decode() for c in (lead, client))
        assert "4,100" in theirs or "4100" in theirs or "12.96" in theirs or "0.348" in theirs, path
        assert not re.search(r"4,?100|12\.96|0\.348", ours), path
        assert "尚未公开" in ours, path
    assert "11,777" in client.get(f"/explain/gdp_constant/{city}/2023/").content.decode()


def test_the_province_has_no_targets_in_a_city_plan(client: Client, plan_view: View) -> None:
    province = next(r for r in plan_view.plan.regions if r.kind == "province")
    assert "方案没有向这里提出目标" in client.get(f"/region/{province.code}/").content.decode()


@pytest.mark.parametrize("kind", [{"quality": "published"}, {"synthetic": True}])
def test_published_and_synthetic_figures_are_for_everybody(
    client: Client, plan_view: View, put: Put, kind: dict[str, object]
) -> None:
    target = next(t for t in plan_view.plan.targets if t.measure == "cumulative_amount" and t.value)
    put(target.indicator, plan_view.city.code, {str(plan_view.plan.header.first_year): "987.654"}, **kind)
    body = client.get(f"/target/{target.id}/").content.decode()
    assert "987.65" in body
    assert ("badge-demo" in body) == bool(kind.get("synthetic"))


def test_figures_of_a_unit_are_for_that_unit(
    client: Client, signed_in: SignedIn, plan_view: View, put: Put, unit_subject: Subject
) -> None:
    put("energy_total", unit_subject.code, {"2023": "5"}, synthetic=True)
    address = f"/observation/{Observation.objects.get(subject=unit_subject).pk}/"
    assert client.get(address).status_code == 403
    assert signed_in(Role.ENTERPRISE, unit="U2").get(address).status_code == 403
    assert signed_in(Role.ENTERPRISE, unit="U1").get(address).status_code == 200
    assert signed_in(Role.LEAD).get(address).status_code == 200


def test_a_correction_shows_both_vintages(client: Client, plan_view: View, put: Put) -> None:
    target = next(t for t in plan_view.plan.targets if t.measure == "cumulative_amount" and t.value)
    year = str(plan_view.plan.header.first_year)
    put(target.indicator, plan_view.city.code, {year: "11.11"}, quality="published")
    put(target.indicator, plan_view.city.code, {year: "22.22"}, quality="published")
    body = client.get(f"/target/{target.id}/").content.decode()
    assert "11.11" in body
    assert "22.22" in body
    first, last = Observation.objects.order_by("vintage")
    assert "已有更新版次" in client.get(f"/observation/{first.pk}/").content.decode()
    assert "现行版次" in client.get(f"/observation/{last.pk}/").content.decode()


# --- exports ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("fmt", ["json", "csv", "xlsx"])
def test_every_table_can_be_taken_away(client: Client, plan_view: View, fmt: str) -> None:
    starts = {"json": b"[", "csv": b"\xef\xbb\xbf", "xlsx": b"PK"}[fmt]
    target = next(t for t in plan_view.plan.targets if t.counties == "each")
    for address in ("/plan/", "/regions/", f"/region/{plan_view.counties[0].code}/", "/bodies/", "/indicators/", "/rules/", "/verification/", f"/target/{target.id}/?table=counties",
                    f"/target/{target.id}/?table=path", f"/explain/{target.indicator}/{plan_view.city.code}/2024/", f"/indicator/{target.indicator}/"):  # fmt: skip
        response = client.get(address + ("&" if "?" in address else "?") + f"format={fmt}")
        assert response.status_code == 200, address
        assert response.content.startswith(starts), address


# --- language ---------------------------------------------------------------------------------------
def test_the_switch_keeps_the_place_and_leads_nowhere_else(client: Client, plan_view: View) -> None:
    response = client.post("/language/", {"language": "en", "next": "/plan/?sort=late"})
    assert response["Location"] == "/plan/?sort=late"
    assert 'lang="en"' in client.get("/plan/").content.decode()
    for elsewhere in ("https://example.org/", "//example.org", "javascript:alert(1)", "\\\\example.org"):
        assert client.post("/language/", {"language": "en", "next": elsewhere})["Location"] == "/"
    assert client.post("/language/", {"language": "xx", "next": "/"}).status_code == 302
    assert client.get("/language/").status_code == 405


def test_the_english_interface_holds_no_chinese_of_its_own(client: Client, plan_view: View) -> None:
    """Names, units, states and furniture are English; what stays Chinese is quoted from documents."""
    client.post("/language/", {"language": "en", "next": "/"})
    quoted = (
        {t.quote for t in plan_view.plan.targets}
        | {n for b in plan_view.plan.bodies for n in (b.name, b.full_name)}
        | {plan_view.plan.header.number, plan_view.plan.header.issuer}
    )
    for address in ("/plan/", "/regions/", "/bodies/", "/sign-in/", "/search/", "/nothing/", "/plan/read/"):
        text = client.get(address).content.decode()
        text = re.sub(r"<script.*?</script>|<[^>]+>", " ", text, flags=re.S)
        for words in sorted(quoted, key=len, reverse=True):
            text = text.replace(words, " ")
        left = {line.strip() for line in text.splitlines() if HAN.search(line)} - {"中文"}  # the switch back
        assert not left, address


# --- caching ----------------------------------------------------------------------------------------
def test_an_unchanged_page_is_not_sent_again_and_a_new_figure_is_seen_at_once(
    client: Client, plan_view: View, put: Put
) -> None:
    first = client.get("/plan/")
    again = client.get("/plan/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert not again.content
    target = next(t for t in plan_view.plan.targets if t.measure == "cumulative_amount" and t.value)
    put(target.indicator, plan_view.city.code, {str(plan_view.plan.header.first_year): "987.654"}, quality="published")
    later = client.get("/plan/", headers={"If-None-Match": first["ETag"]})
    assert later.status_code == 200
    assert "987.65" in later.content.decode()


def test_kept_pages_hold_no_token_and_do_not_cross_readers(
    client: Client, signed_in: SignedIn, plan_view: View
) -> None:
    client.get("/sign-in/")  # sets the token cookie, as a visitor may have it
    for _ in range(2):
        assert "csrfmiddlewaretoken" not in client.get("/plan/").content.decode()
    mine = signed_in(Role.LEAD)
    assert "某人" in mine.get("/plan/").content.decode()
    assert "某人" not in client.get("/plan/").content.decode()
    english = Client()
    english.post("/language/", {"language": "en", "next": "/"})
    assert 'lang="en"' in english.get("/plan/").content.decode()
    assert 'lang="zh-hans"' in client.get("/plan/").content.decode()


def test_a_kept_page_is_the_same_packed_and_plain(client: Client, plan_view: View) -> None:
    import gzip

    plain = client.get("/plan/").content
    packed = client.get("/plan/", headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain


# --- signing in -------------------------------------------------------------------------------------
def test_signing_in_is_paused_after_five_failures_and_never_says_which_part_was_wrong(
    client: Client, signed_in: SignedIn, plan_view: View
) -> None:
    signed_in(Role.LEAD)
    said = set()
    for name in ("nobody", "somebody"):
        body = client.post("/sign-in/", {"username": name, "password": "wrong"}).content.decode()
        said.add(re.sub(name, "", re.search(r'class="problems".*?</div>', body, re.S)[0]))  # type: ignore[index]
    assert len(said) == 1
    for _ in range(5):
        response = client.post("/sign-in/", {"username": "nobody", "password": "wrong"})
    assert response.status_code in (403, 429)
    assert "暂停登录" in response.content.decode()


def test_signing_out_needs_a_post(signed_in: SignedIn, plan_view: View) -> None:
    person = signed_in(Role.LEAD)
    assert person.get("/sign-out/").status_code == 405
    assert person.post("/sign-out/")["Location"] == "/plan/"
    assert person.get("/")["Location"] == "/plan/"


def test_demo_accounts_are_listed_only_on_a_demo_site(client: Client, plan_view: View) -> None:
    assert "演示账号" not in client.get("/sign-in/").content.decode()


def test_an_expired_form_gets_a_page_that_helps(plan_view: View) -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "x", "password": "y"})
    assert response.status_code == 403
    assert "页面已过期" in response.content.decode()


def test_the_page_for_our_own_fault_stands_without_anything_else() -> None:
    from django.template.loader import render_to_string

    assert "系统出错" in render_to_string("500.html")
    assert "请求无法处理" in render_to_string("400.html")
