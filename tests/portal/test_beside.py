"""A unit beside its group and the fairness report on their pages, of seven departments and two published months."""

from collections.abc import Iterator
from decimal import Decimal
from shutil import copytree

import pytest
from lxml import html

from minhu.portal.pages import fairness as page_of
from minhu.publish.compared import compared
from minhu.publish.fairness import fairness
from tests.portal.conftest import Browser, House, opened
from tests.portal.test_browser import (
    Visitor,
    chromium,  # noqa: F401 - a fixture
    served,
)
from tests.publish import seven
from tests.publish.city import login
from tests.publish.seven import NAMES, OCTOBER, SEPTEMBER
from tests.publish.test_compared import harder

UNIT = f"/units/U1/{OCTOBER}?scheme=linan"
LONG = f"/units/U3/{OCTOBER}?scheme=linan"
FAIRNESS = f"/fairness?scheme=linan&period={OCTOBER}"
COMPARE = f"/compare?scheme=linan&period={OCTOBER}&unit=U1&unit=U3"


@pytest.fixture(scope="module")
def house(scratch, tmp_path_factory) -> Iterator[House]:
    city = seven.make(scratch, tmp_path_factory.mktemp("beside"), "beside", harder)
    known = {group: login(city, f"beside_{group}", group) for group in ("evaluator", "auditor", "bi")}
    known["unit"] = login(city, "beside_u1", "unit", unit="U1")
    home = tmp_path_factory.mktemp("beside-home")
    copytree(city.home / "secrets", home / "secrets")
    with opened(city, home, "beside", known) as made:
        yield made


def read(answer) -> html.HtmlElement:
    assert answer.status_code == 200, answer.text[:2000]
    return html.fromstring(answer.text)


def words(element) -> str:
    return " ".join(element.text_content().split())


@pytest.fixture
def enter(house):
    def enter(group: str) -> Browser:
        browser = Browser(house.desk)
        assert browser.sign_in(*house.credentials(group)).status_code == 303
        return browser

    return enter


@pytest.mark.parametrize("group", ["unit", "evaluator", "auditor"])
def test_a_units_page_says_whose_doing_its_movement_is(enter, house, group):
    page = read(enter(group).get(UNIT))
    told = compared(house.city, "U1", "linan", OCTOBER).movement
    rows = {
        words(row.xpath("./th")[0]): words(row.xpath("./td")[0])
        for row in page.xpath("//section[@id='movement']//tr[td]")
    }
    shown = {name: Decimal(number.replace("−", "-")) for name, number in rows.items()}
    assert shown == {"规则": told.rule, "同组": told.group, "本单位": told.own, "合计": told.change}
    assert shown["合计"] == shown["规则"] + shown["同组"] + shown["本单位"]


def test_quartiles_stand_beside_each_indicator_and_no_number_of_another_unit(enter, house):
    page = read(enter("unit").get(UNIT))
    told = compared(house.city, "U1", "linan", OCTOBER).quartiles["close_on_time"]
    cell = words(page.xpath("//table[@class='falls']//tr[th/a[@href='#close_on_time']]/td[2]")[0])
    assert cell == f"同组 {told.low:.2f}%／{told.median:.2f}%／{told.high:.2f}%"
    [own] = page.xpath("//table[@class='falls']//tr[th/a[@href='#close_on_time']]/td[1]")
    assert list(own.itertext()) == ["91.67%", "11/12", "64.6–98.5%"], "its own number, n and interval"
    text = words(page)
    assert not [name for name in NAMES[1:] if name in text]


def test_the_first_month_has_no_movement_and_a_draft_has_one(enter):
    browser = enter("auditor")
    assert not read(browser.get(f"/units/U1/{SEPTEMBER}?scheme=linan")).xpath("//section[@id='movement']")
    assert read(browser.get(f"{UNIT}&draft=1")).xpath("//section[@id='movement']//tfoot")


def test_what_cannot_be_split_says_why(enter, monkeypatch):
    monkeypatch.setattr("minhu.scoring.compared.FEWEST", 8)
    page = read(enter("unit").get(UNIT))
    assert "不能拆分：两期都参加排名的同组单位不足 5 个。" in words(page.get_element_by_id("movement"))
    assert "同组 " not in words(page.xpath("//table[@class='falls']")[0]), "too few for quartiles, too"


@pytest.mark.parametrize("group", ["evaluator", "auditor"])
def test_the_fairness_report_is_what_the_command_tells(enter, house, group):
    page_of._kept.clear()
    page = read(enter(group).get(FAIRNESS))
    told = fairness(house.city, OCTOBER)
    text = words(page.get_element_by_id("main"))
    assert f"重抽 {told.draws} 次，种子 {told.seed}" in text and "不改变任何得分" in text
    [first] = told.groups
    for one in first.noise:
        assert one.name_zh in text
    assert f"{len(first.stands)} 个分档的单位中，{first.steady_pct.normalize():f}%" in text
    shown = [words(row.xpath("./th")[0]) for row in page.xpath("//section[@id='edges']//tbody/tr")]
    assert shown == [one.unit_name for one in told.edges]
    assert page.xpath("//div[@class='figure']/svg") and not page.xpath("//script")


def test_a_report_of_a_release_is_reckoned_once(enter, monkeypatch):
    page_of._kept.clear()
    browser = enter("evaluator")
    browser.get(FAIRNESS)
    monkeypatch.setattr(page_of, "read", lambda *asked, **how: 1 / 0)
    assert browser.get(FAIRNESS).status_code == 200


@pytest.mark.parametrize("group", ["unit", "bi"])
def test_others_have_no_fairness_report_and_no_link_to_it(enter, group):
    browser = enter(group)
    assert browser.get(FAIRNESS).status_code == 403
    assert browser.get(f"{FAIRNESS}&draft=1").status_code == 403
    if group == "unit":
        for path in (f"/scores/linan/{OCTOBER}", COMPARE):
            assert not read(browser.get(path)).xpath("//a[starts-with(@href, '/fairness')]")


def test_it_is_linked_from_the_scores_and_from_a_comparison(enter):
    browser = enter("evaluator")
    for path in (f"/scores/linan/{OCTOBER}", COMPARE, f"{COMPARE}&draft=1"):
        [link] = read(browser.get(path)).xpath("//a[starts-with(@href, '/fairness')]/@href")
        assert read(browser.get(link)).xpath("//h1")[0].text == "公平性报告"


@pytest.mark.parametrize("path", ["/fairness", "/fairness?period=2026-08", "/fairness?period=x&scheme=linan"])
def test_what_there_is_not_is_said_in_words(enter, path):
    assert enter("auditor").get(path).status_code == 400


def test_in_english_too(enter):
    browser = enter("evaluator")
    browser.speak("en")
    assert "Whether bands hold" in words(read(browser.get(FAIRNESS)))
    assert "Where the movement since 2026-09 comes from" in words(read(browser.get(UNIT)))


@pytest.mark.parametrize("width", [360, 1280])
def test_both_pages_fit_a_phone_and_a_screen(house, chromium, width):  # noqa: F811
    with served(house) as address:
        context = chromium.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")
        visitor = Visitor(context.new_page(), address)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitor.page.on("request", lambda r: None if r.url.startswith(address) else visitor.complaints.append(r.url))
        visitor.go("/login")
        name, password = house.credentials("evaluator")
        visitor.page.get_by_label("用户名").fill(name)
        visitor.page.get_by_label("口令").fill(password)
        visitor.page.get_by_role("button", name="登录").click()
        visitor.page.wait_for_url(address + "/")
        for path in (UNIT, LONG, FAIRNESS, COMPARE):
            visitor.go(path)
            assert visitor.overflow <= 0, path
        assert visitor.complaints == []
        context.close()
