"""Each kind of person in a real browser: two clicks to the answer, no error, no request to anybody else.

It needs Chromium; `MINHU_CHROMIUM` names another than Debian's.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn

from minhu.database.sign_on import Provider
from minhu.portal.app import application
from tests.idp import SECRET, Idp
from tests.portal.conftest import MONTH, House
from tests.portal.test_pages import CASE, FAIRNESS, PROOF, SAMPLE, SCORES, TRACE, UNIT

CHROMIUM = os.environ.get("MINHU_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
MISSING = "these tests need a browser: apt-get install chromium, or MINHU_CHROMIUM=/path/to/chrome"
WIDTHS = (360, 768, 1440)


@contextmanager
def served(house: House, sign_on: Provider | None = None) -> Iterator[str]:
    """The portal on a port of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(application(house.desk, sign_on), host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def address(house: House) -> Iterator[str]:
    with served(house) as told:
        yield told


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    if not os.access(CHROMIUM, os.X_OK):
        pytest.fail(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A page in a browser, and all that it complained of or asked of others."""

    page: object
    address: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def click(self, name: str) -> None:
        self.page.get_by_role("link", name=name).first.click()

    @property
    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def visit(chromium, address, house) -> Iterator[object]:
    """``visit("unit", 360)``: that person, signed in by the form, on a screen so wide."""
    opened = []

    def enter(group: str, width: int = 1280, **how: object) -> Visitor:
        context = chromium.new_context(viewport={"width": width, "height": 900}, locale="zh-CN", **how)
        visitor = Visitor(context.new_page(), address)
        opened.append((context, visitor))
        page = visitor.page
        page.on("console", lambda m: visitor.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(address) else visitor.complaints.append(r.url))
        visitor.go("/login")
        name, password = house.credentials(group)
        page.get_by_label("用户名").fill(name)
        page.get_by_label("口令").fill(password)
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(address + "/")
        return visitor

    yield enter
    for context, visitor in opened:
        assert visitor.complaints == []
        context.close()


def test_who_signs_on_at_another_site_is_in(chromium, house):
    """Sent on from another site a browser keeps our cookie to itself; who comes back from there is in all the same."""
    idp = Idp()
    idp.says = {"preferred_username": house.credentials("auditor")[0]}
    way = Provider.from_env({"MINHU_OIDC_URL": idp.url, "MINHU_OIDC_SECRET": SECRET})
    context = chromium.new_context(locale="zh-CN")
    with served(house, way) as address:
        there = address.replace("127.0.0.1", "localhost")
        page = context.new_page()
        page.goto(f"{there}/audit")
        page.get_by_role("link", name="用统一身份认证登录").click()
        page.get_by_role("link", name="that is me").click()
        page.wait_for_url(f"{there}/audit")
        assert page.get_by_role("heading", level=1).inner_text() == "审计"
    context.close()
    idp.close()


def test_a_unit_sees_why_it_lost_points_and_appeals(visit):
    unit = visit("unit")
    unit.page.get_by_text("看为什么").click()
    page = unit.page
    assert page.get_by_role("heading", level=1).inner_text().startswith("城管局")
    page.locator("details.cost summary").first.click()
    assert page.get_by_text("计时").first.is_visible()
    page.get_by_role("link", name="就这一行申诉").first.click()
    assert page.get_by_label("明细号").input_value().startswith("R1-")
    page.get_by_label("申诉理由").select_option("mis_dispatched")
    page.get_by_label("情况说明").fill("职责不属本单位")
    page.get_by_label("佐证材料").fill("2026-17")
    page.get_by_role("button", name="提交").click()
    assert page.get_by_role("status").inner_text() == "已记录：提出申诉"


def test_an_evaluator_sorts_finds_compares_and_takes_a_file(visit):
    evaluator = visit("evaluator")
    evaluator.click("考评")
    evaluator.click(MONTH)
    page = evaluator.page
    page.get_by_role("link", name="百分制得分").click()
    points = [float(told) for told in page.locator("td.score").all_inner_texts()]
    assert points == sorted(points, reverse=True)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="比较所选").click()
    assert page.locator("table.compare thead th").count() == 2
    page.go_back()
    page.get_by_placeholder("名称、代码或拼音首字母").fill("jtj")
    page.get_by_role("button", name="查找").click()
    assert page.locator("tbody th").all_inner_texts() == ["交通局"]
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    assert waiting.value.suggested_filename == f"{MONTH}-linan-linan_department.csv"


def test_an_auditor_comes_from_a_number_to_a_file(visit):
    auditor = visit("auditor")
    auditor.go(CASE)
    assert auditor.page.get_by_role("img").first.is_visible()
    auditor.click("溯源至落地文件与门禁")
    assert "sha256" in auditor.page.inner_text("main")


def test_an_engineer_sees_what_did_not_come(visit):
    engineer = visit("engineer")
    engineer.click("报送")
    engineer.page.locator("ul.wall a").first.click()
    assert engineer.page.get_by_role("heading", name="近两周的送达").is_visible()


def test_a_leader_has_four_numbers_and_three_sentences(visit):
    leader = visit("bi")
    assert leader.page.locator("dl.tiles .tile").count() == 4
    assert leader.page.locator("p.sentence").count() >= 2


def test_the_language_is_switched_and_stays(visit):
    reader = visit("auditor")
    reader.page.get_by_role("button", name="English").click()
    assert reader.page.get_by_role("link", name="Scores").first.is_visible()
    reader.go("/quality")
    assert reader.page.get_by_role("heading", level=1).inner_text() == "Data quality"
    assert reader.page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160)])
def test_a_wall_shows_all_of_itself_and_can_be_read_from_afar(visit, width, height):
    """Nobody scrolls a wall: nothing lies below its edge, and its words grow with it."""
    wall = visit("bi", width)
    wall.page.set_viewport_size({"width": width, "height": height})
    wall.go("/live?wall=1")
    below = "(of => of.scrollHeight - of.clientHeight)(document.getElementById('wall'))"
    assert wall.page.evaluate(below) <= 0
    sizes = "[...document.querySelectorAll('#wall th, #wall td')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(wall.page.evaluate(sizes)) >= height / 80


def test_what_is_printed_is_the_page_without_what_is_pressed(visit):
    evaluator = visit("evaluator")
    evaluator.page.emulate_media(media="print")
    for path in (SCORES, UNIT, CASE):
        evaluator.go(path)
        shown = evaluator.page.locator("main table").first
        assert shown.is_visible() and shown.bounding_box()["height"] > 50, path
        assert evaluator.page.locator("button:visible, input:visible, nav:visible, footer:visible").count() == 0, path


def test_a_wall_keeps_what_it_shows_and_tries_again(visit, address):
    wall = visit("bi", 1920)
    wall.go("/live?wall=1")
    assert wall.page.locator("#wall.onwall").is_visible() and wall.overflow == 0
    wall.page.route("**/live*", lambda route: route.abort())
    wall.page.evaluate("renew()")
    wall.page.wait_for_selector("#wall.lost")
    wall.page.unroute("**/live*")
    wall.page.evaluate("renew()")
    wall.page.wait_for_selector("#wall:not(.lost)")
    wall.complaints.clear()  # what was broken on purpose


EVERY = {
    "evaluator": [
        *("/", "/live", "/scores", SCORES, UNIT, "/cases", CASE, "/inbox", "/inbox/enter/exclude", "/jobs", "/feeds"),
        *("/feeds/h1", "/quality", "/account", "/api/docs", "/help"),
        f"/compare?scheme=linan&period={MONTH}&unit=U1&unit=U2",
        FAIRNESS,
    ],
    "auditor": [
        "/audit",
        f"/audit/reconcile?date={MONTH}-31",
        TRACE,
        SAMPLE,
        PROOF,
        "/audit/access",
        "/feeds/builds",
        "/people",
    ],
    "unit": ["/", UNIT, CASE, "/inbox"],
}


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_every_width(visit, width, scheme):
    for group, paths in EVERY.items():
        visitor = visit(group, width, color_scheme=scheme)
        for path in paths:
            visitor.go(path)
            assert visitor.overflow <= 0, (path, width)
            hidden = visitor.page.evaluate(
                "[...document.querySelectorAll('main a, main button')]"
                ".filter(one => one.offsetParent && one.getBoundingClientRect().width === 0).length"
            )
            assert hidden == 0, path


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out(visit, scheme):
    """axe finds nothing serious or critical on any page."""
    from axe_playwright_python.sync_playwright import Axe

    for group, paths in EVERY.items():
        visitor = visit(group, color_scheme=scheme)
        for path in paths:
            visitor.go(path)
            found = [
                (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
                for one in Axe().run(visitor.page).response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
            assert found == [], (path, found)


@pytest.mark.long
def test_a_page_is_reached_by_the_keyboard_alone(visit):
    page = visit("evaluator").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "跳到正文"
    page.keyboard.press("Enter")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
    assert len(seen) > 5
