"""Every page over HTTP, read with a parser: what it shows is what the database holds; what may not be is refused."""

import csv
import hashlib
import re
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace

import fastexcel
import pytest
from lxml import html

from minhu import database
from minhu.config import sync
from minhu.database import logins
from minhu.export.report import Group, Unit
from minhu.portal import pages
from minhu.portal.api.app import PREFIX
from minhu.portal.app import HEADERS
from minhu.portal.pages.scores import View, _arranged, has_initials
from minhu.portal.shown import points
from minhu.publish.stored_release import explain_release
from minhu.schemes.scheme import load_scheme
from minhu.schemes.words import scoring_rule
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.board import Backlog, Hot, board
from minhu.warehouse.build import build
from minhu.warehouse.live import Area, Category, live
from minhu.warehouse.reconcile import reconcile
from tests.portal.conftest import MONTH, ORIGIN, Browser, House
from tests.publish import city as world

SCORES = f"/scores/linan/{MONTH}"
UNIT, OTHER = f"/units/U1/{MONTH}", f"/units/U2/{MONTH}"
NUMBER = world.case(5, "")["工单编号"]
CASE = f"/cases/h1/{NUMBER}"
TRACE, SAMPLE = f"/audit/trace?feed=h1&case={NUMBER}", f"/audit/sample?period={MONTH}&seed=x"
PROOF = f"/audit/proof/linan/{MONTH}"
FAIRNESS = f"/fairness?scheme=linan&period={MONTH}"


def read(answer):
    return html.fromstring(answer.text)


def words(element) -> str:
    return " ".join(element.text_content().split())


@pytest.fixture
def evaluator(browser: Browser, house: House) -> Browser:
    assert browser.sign_in(*house.credentials("evaluator")).status_code == 303
    return browser


def test_who_has_not_signed_in_is_asked_to_and_comes_back(browser, house):
    answer = browser.get(f"{SCORES}?group=linan_department")
    assert (answer.status_code, browser.cookie) == (303, None)
    to_sign_in = answer.headers["location"]
    page = read(browser.get(to_sign_in))
    [form] = page.forms[-1:]
    answer = browser.sign_in(*house.credentials("unit"), path=form.action)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SCORES}?group=linan_department")
    assert browser.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "%2F%2Fevil.example", "/login"]
)
def test_nobody_is_sent_elsewhere(browser, house, back):
    answer = browser.sign_in(*house.credentials("unit"), path=f"/login?back={back}")
    assert answer.headers["location"] == "/"


def test_a_wrong_password_says_nothing_of_who_there_is(browser, house):
    told = set()
    for name in (house.credentials("unit")[0], "nobody", "minhu_owner"):
        answer = browser.sign_in(name, "wrong")
        assert answer.status_code == 403 and browser.cookie is None
        told.add(words(read(answer).get_element_by_id("main")).replace(name, ""))
    assert len(told) == 1


def test_who_come_at_once_are_all_let_in(house):
    told = Browser(house.desk).sign_in_at_once(*house.credentials("bi"), 40)
    assert told == [303] * 40


def test_who_guesses_waits_and_so_does_his_address(house):
    name, password = house.credentials("bi")
    answers = [Browser(house.desk).sign_in(name, f"guess {n}").status_code for n in range(8)]
    assert answers[:5] == [403] * 5 and 429 in answers[5:]
    with database.connect(house.city) as connection:  # guesses enough for half a minute, however slow this machine is
        of_name = hashlib.sha256(f"name {name}".encode()).digest()
        connection.execute("insert into portal.failure (of_hash) select %s from generate_series(1, 10)", [of_name])
    told = Browser(house.desk).sign_in(name, password)
    assert told.status_code == 429 and "请稍候" in words(read(told))
    assert Browser(house.desk).sign_in(*house.credentials("auditor")).status_code == 303, "others are let in"
    with database.connect(house.city) as connection:
        connection.execute("update portal.failure set failed_at = failed_at - interval '31 s'")
    assert Browser(house.desk).sign_in(name, password).status_code == 303
    for n in range(30):
        Browser(house.desk).sign_in(f"somebody_{n}", "guess")
    with database.connect(house.city) as connection:  # ten more: what he waits now, no machine is too slow to see
        connection.execute(
            "insert into portal.failure (of_hash) select of_hash from portal.failure cross join generate_series(1, 10)"
            " group by of_hash, generate_series having count(*) > 20"
        )
    assert Browser(house.desk).sign_in(*house.credentials("auditor")).status_code == 429
    with database.connect(house.city) as connection:
        connection.execute("delete from portal.failure")


def test_who_is_outside_the_assessment_and_who_passes_a_wall_see_no_small_cell(browser, house, monkeypatch):
    units = (Backlog("U1", "甲局", 350, 211), Backlog("U2", "乙局", 97, 95), Backlog("U3", "丙局", 60, 44))
    of_week = [("a", "甲", 8101, 7890), ("b", "乙", 713, 3), ("c", "丙", 909, 808)]
    cells = {
        "units": units,
        "categories": tuple(Category(*one) for one in of_week),
        "areas": tuple(Area(*one, rank=3) for one in of_week),
    }
    hot = {"backlogs": units, "hot": tuple(Hot(*one) for one in of_week)}
    monkeypatch.setattr(pages.live, "counted", lambda reads: replace(live(reads), **cells))
    monkeypatch.setattr(pages.home, "board", lambda reads, own: replace(board(reads, own), **hot))

    for group, is_outside in (("engineer", True), ("bi", True), ("auditor", False), ("evaluator", False)):
        browser.sign_in(*house.credentials(group))
        for path, is_withheld in (("/live", is_outside), ("/", is_outside), ("/live?wall=1", True)):
            page = read(browser.get(path))
            told = {words(cell) for cell in page.xpath("//main//td | //main//strong")}
            assert {"8,101", "211"} <= told, (group, path)
            small = {"95", "44", "808"} if path == "/" else {"95", "44", "▲ 710", "▲ 101"}
            assert small & told == (set() if is_withheld else small), (group, path)
            assert ("不足 5 件" in words(page)) == is_withheld


async def parts(size: int):
    """A body that does not say how much is to come."""
    for _ in range(size >> 16):
        yield b"x" * (1 << 16)


@pytest.mark.parametrize("path", ["/login", "/language", f"{PREFIX}/sessions"])
def test_nobody_sends_more_than_a_form_has(browser, path):
    """Before anybody is asked who he is; what is said of the size is not believed, and nothing waits for the rest."""
    for body, told in (
        ({"content": b"x" * (3 << 20)}, {}),
        ({"content": parts(3 << 20)}, {}),
        ({"content": b"x"}, {"content-length": "99999999999999999999999"}),
        ({"content": b"x"}, {"content-length": "-1"}),
        ({"files": {"file": ("bomb.zip", b"0" * (3 << 20))}}, {}),
    ):
        kind = {} if "files" in body else {"content-type": "application/json"}
        if path in ("/login", "/language") and "files" not in body:
            kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = browser.send(path, headers={"origin": ORIGIN} | kind | told, **body)
        assert answer.status_code == 413, (path, told)
    assert "1 MB" in answer.text


def test_a_form_of_another_site_does_nothing(browser, house):
    name, password = house.credentials("unit")
    for origin in (None, "https://evil.example", "null"):
        answer = browser.post("/login", {"name": name, "password": password}, origin=origin)
        assert (answer.status_code, browser.cookie) == (403, None)


def test_the_cookie_is_read_by_no_script_and_sent_to_no_other_site(browser, house):
    said = browser.sign_in(*house.credentials("unit")).headers["set-cookie"].lower()
    assert "httponly" in said and "samesite=strict" in said


def test_who_signs_out_is_out_everywhere(evaluator, house):
    kept = evaluator.cookie
    assert evaluator.post("/logout").headers["location"] == "/login"
    assert evaluator.cookie is None
    evaluator._cookies.set("minhu", kept)
    assert evaluator.get("/").status_code == 303


@pytest.mark.parametrize("path", ["/", "/login", SCORES, "/nowhere", "/static/portal.css"])
def test_every_answer_has_its_headers_and_asks_nothing_of_others(evaluator, path):
    answer = evaluator.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    if not path.startswith("/static"):
        assert answer.headers["cache-control"] == "no-store"


LAWS = {"/schemes", "/schemes/linan"}
ROOMS = {
    "evaluator": {"/", "/scores", SCORES, UNIT, OTHER, "/cases", CASE, "/inbox", "/feedback", "/inbox/enter/exclude"}
    | LAWS
    | {"/inbox/enter/file_appeal", "/inbox/enter/waive", "/feeds", "/feeds/h1", "/quality", "/help", FAIRNESS},
    "auditor": {"/", "/scores", SCORES, UNIT, OTHER, "/cases", CASE, "/feeds", "/feeds/h1", "/feeds/builds", "/quality"}
    | {"/audit", "/audit/reconcile", "/audit/access", TRACE, SAMPLE, PROOF, "/people", "/feedback", "/help"}
    | {FAIRNESS}
    | LAWS,
    "unit": {"/", "/feedback", "/scores", SCORES, UNIT, "/cases", CASE, "/inbox", "/inbox/enter/file_appeal", "/help"}
    | LAWS,
    "engineer": {"/", "/feeds", "/feeds/h1", "/feeds/builds", "/quality", "/people", "/help"},
    "bi": {"/", "/help"},
    "sender": {"/", "/push", "/push/to/p1/posted", "/help"},
}
EVERY = sorted(set().union(*ROOMS.values()))


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("group", ROOMS)
def test_every_page_of_every_group_in_both_languages(browser, house, group, lang):
    browser.sign_in(*house.credentials(group))
    browser.speak(lang)
    for path in EVERY:
        answer = browser.get(path)
        if path not in ROOMS[group]:
            assert answer.status_code in (400, 403), path
            continue
        assert answer.status_code == 200, path
        page = read(answer)
        assert page.get("lang") == ("en" if lang == "en" else "zh-CN")
        assert len(page.xpath("//main//h1")) == 1
        assert page.xpath("//*[@style or @onclick] | //script | //style") == []
        assert all(link.startswith(("/", "?", "#")) for link in page.xpath("//@src | //@href | //@action")), path
        identities = page.xpath("//@id")
        assert len(identities) == len(set(identities)), path
        fields = page.xpath("//main//input[not(@type='hidden')] | //main//select | //main//textarea")
        labels = set(page.xpath("//label/@for"))
        named = [one.get("id") in labels or one.get("aria-label") or one.getparent().tag == "label" for one in fields]
        assert all(named), path


def test_every_link_of_the_head_leads_somewhere(house):
    for group in ROOMS:
        browser = Browser(house.desk)
        browser.sign_in(*house.credentials(group))
        for path in read(browser.get("/")).xpath("//nav[@class='rooms']//a/@href"):
            assert browser.get(path).status_code == 200, (group, path)


def test_a_city_with_nothing_in_it_has_all_its_pages(bare):
    """No build, no score, no batch: every page says so in words."""
    for group in ROOMS:
        browser = Browser(bare.desk)
        assert browser.sign_in(*bare.credentials(group)).status_code == 303
        for path in sorted(
            ROOMS[group] - {SCORES, UNIT, OTHER, CASE, TRACE, SAMPLE, PROOF, FAIRNESS, "/feeds/h1", "/schemes/linan"}
        ):
            answer = browser.get(path)
            assert answer.status_code == 200, (group, path)
            assert "None" not in answer.text, (group, path)


@pytest.mark.parametrize("group", ["evaluator", "auditor", "unit"])
def test_the_scores_are_those_that_were_published(browser, house, group):
    browser.sign_in(*house.credentials(group))
    page = read(browser.get(SCORES))
    shown = {
        words(row.xpath("./th")[0]): Decimal(words(row.xpath("./td[contains(@class, 'score')]")[0]))
        for row in page.xpath("//table/tbody/tr")
    }
    published = world.rows(
        house.people["auditor"],
        "select unit_name, score_100 from publish.unit_score join mart.dim_unit using (unit_code)",
    )
    assert shown == dict(published) and len(shown) == 2


def test_beside_the_rates_stands_what_is_open_and_overdue(browser, house):
    browser.sign_in(*house.credentials("auditor"))
    told = words(read(browser.get(SCORES)).get_element_by_id("main"))
    known = world.rows(
        house.people["auditor"],
        "select to_char(max(day_on), 'YYYY-MM-DD'), sum(open), sum(overdue) from mart.agg_day"
        " join publish.unit_score using (unit_code) where grain = 'unit' and day_on ="
        " (select max(day_on) from mart.agg_day where day_on < (period || '-01')::date + interval '1 month')",
    )
    day, still_open, overdue = known[0]
    assert f"{day} 24:00，本组在办 {still_open} 件，其中超期 {overdue} 件" in told
    browser.sign_in(*house.credentials("unit"))
    assert "本组在办" not in words(read(browser.get(SCORES)).get_element_by_id("main"))


def test_who_may_not_see_a_page_is_told_so_and_nothing_of_the_database(browser, house):
    browser.sign_in(*house.credentials("bi"))
    answer = browser.get(SCORES)
    assert answer.status_code == 403
    assert "不能查看" in words(read(answer)) and "permission" not in answer.text


def test_the_front_page_leads_to_what_is_published(evaluator):
    page = read(evaluator.get("/"))
    [link] = page.xpath("//tbody//a[starts-with(@href, '/scores')]/@href")
    assert link == SCORES and evaluator.get(link).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"{SCORES}?group=nobody",
        f"{SCORES}?revision=x",
        f"{SCORES}?revision=9",
        f"/scores/other/{MONTH}",
        "/scores/linan/2026-99",
    ],
)
def test_what_there_is_not_is_said_in_words(evaluator, path):
    answer = evaluator.get(path)
    assert answer.status_code == 400
    assert read(answer).xpath("//*[@role='alert']")[0].text.strip()


def test_a_page_is_light(evaluator):
    assert len(evaluator.get(SCORES).content) < 60_000


# The scores


def rows(answer) -> list[tuple[str, str]]:
    """The units that a page of scores shows, in its order, with their points."""
    return [
        (words(row.xpath("./th")[0]), words(row.xpath("./td[contains(@class, 'score')]")[0]))
        for row in read(answer).xpath("//table/tbody/tr")
    ]


def test_the_scores_are_sorted_by_any_column_and_turned_round(evaluator):
    by_score = rows(evaluator.get(f"{SCORES}?sort=-score"))
    assert [Decimal(points) for _, points in by_score] == sorted((Decimal(p) for _, p in by_score), reverse=True)
    assert rows(evaluator.get(f"{SCORES}?sort=score")) == by_score[::-1]
    assert [name for name, _ in rows(evaluator.get(f"{SCORES}?sort=name"))] == ["城管局", "交通局"], "by pinyin"
    head = read(evaluator.get(f"{SCORES}?sort=-score")).xpath("//th[@aria-sort='descending']")
    assert len(head) == 1


@pytest.mark.parametrize(
    ("typed", "found"), [("交通", ["交通局"]), ("u1", ["城管局"]), ("jtj", ["交通局"]), ("zzz", [])]
)
def test_a_unit_is_found_by_name_code_and_initials(evaluator, typed, found):
    assert [name for name, _ in rows(evaluator.get(f"{SCORES}?q={typed}"))] == found


@pytest.mark.parametrize("typed", ["zxx", "cxx", "xx", "a"])
def test_a_character_of_several_readings_is_found_by_each(typed):
    assert has_initials("长兴县A3局", typed)
    assert not has_initials("长兴县A3局", typed[::-1] + "q")


def test_a_file_holds_exactly_what_the_page_shows_and_is_logged(evaluator, house):
    shown = rows(evaluator.get(f"{SCORES}?sort=-score&q=局"))
    answer = evaluator.get(f"{SCORES}/file?sort=-score&q=局&format=csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    told = list(dict.fromkeys(row["unit_name"] for row in csv.DictReader(StringIO(answer.text.lstrip("\ufeff")))))
    assert told == [name for name, _ in shown]
    book = evaluator.get(f"{SCORES}/file?q=jtj&format=xlsx")
    sheets = fastexcel.read_excel(book.content)
    cells = " ".join(
        str(cell)
        for name in sheets.sheet_names
        for row in sheets.load_sheet(name, header_row=None).to_polars().rows()
        for cell in row
    )
    assert "交通局" in cells and "城管局" not in cells
    assert evaluator.get(f"{SCORES}/file?format=pdf").content.startswith(b"%PDF")
    logged = world.rows(house.city, "select about, accessed_by from audit.access_log where subject = 'export'")
    assert len(logged) == 3 and {who for _, who in logged} == {"house_shen"}
    assert evaluator.get(f"{SCORES}/file?format=exe").status_code == 400


def test_what_is_kept_of_a_release_is_read_anew_once_facts_are_newer(evaluator, house, monkeypatch):
    evaluator.get(SCORES)
    read_again = []
    monkeypatch.setattr("minhu.portal.kept.read_report", lambda *asked, **how: read_again.append(asked) or 1 / 0)
    assert evaluator.get(SCORES).status_code == 200 and read_again == []
    reader = Browser(house.desk)
    reader.sign_in(*house.credentials("bi"))
    assert reader.get(SCORES).status_code == 403
    build(house.city, full_refresh=True)
    with pytest.raises(ZeroDivisionError):
        evaluator.get(SCORES)


def test_a_long_group_comes_in_pages_and_search_and_sort_are_of_all(house):
    units = [
        Unit(f"U{n:04}", f"第{n}街道办事处", None, Decimal(n % 100), None, None, None, None, ()) for n in range(1200)
    ]
    group = Group("town", "镇街", Decimal(100), (), tuple(units), ())
    view = View("/scores/x/2026-10", {}, "score", True, count=1200)
    told = _arranged(SimpleNamespace(names={}), group, view, {})
    assert (len(told), told[0].score_100, told[-1].score_100, view.pages) == (1200, 99, 0, 12)
    assert [unit.code for unit in _arranged(None, group, replace(view, asked={"q": "u0007"}), {})] == ["U0007"]
    assert view.to(page=2) == "/scores/x/2026-10?page=2" and view.by("score").endswith("sort=score")


# A unit


def test_a_units_page_says_what_the_explanation_says(browser, house):
    browser.sign_in(*house.credentials("unit"))
    page = read(browser.get(UNIT))
    found = explain_release(house.people["unit"], "U1", MONTH)
    told = {
        words(row.xpath("./th")[0]): words(row.xpath("./td")[4])
        for row in page.xpath("//table[@class='falls']/tbody/tr")
    }
    assert told == {one.name_zh: points(one.lost) for one in found.indicators}
    costs = [cost for one in found.indicators for cost in one.costs]
    assert len(page.xpath("//details[@class='cost']")) == len(costs) > 0
    assert {cost.published_row for cost in costs} == set(
        page.xpath("//details[@class='cost']//span[@class='tag']/text()")
    )
    assert words(page.xpath("//dd[@class='big']")[0]) == points(found.score_100)


def test_a_unit_comes_to_its_month_without_a_search(browser, house):
    browser.sign_in(*house.credentials("unit"))
    [link] = read(browser.get("/")).xpath("//a[@class='month']/@href")
    assert "城管局" in words(read(browser.get(link)).xpath("//h1")[0])
    assert browser.get("/units").headers["location"].startswith(UNIT)


def test_of_another_unit_a_unit_reads_the_score_and_no_row(browser, house):
    browser.sign_in(*house.credentials("unit"))
    answer = browser.get(OTHER)
    assert answer.status_code == 400 and "只能看本单位" in answer.text
    assert not read(browser.get(SCORES)).xpath("//th/a[contains(@href, 'U2')]")


# A case


def test_a_case_is_told_as_the_facts_have_it(evaluator, house):
    page = read(evaluator.get(CASE))
    [(received, closed)] = world.rows(
        house.city, "select received_at, closed_at from mart.fct_case where case_no = %s", NUMBER
    )
    head = words(page.xpath("//p[@class='lead']")[0])
    assert f"{received:%Y-%m-%d %H:%M}" in head and f"{closed:%Y-%m-%d %H:%M}" in head
    assert page.xpath("//svg[@role='img']/@aria-label")
    assert "超时" in words(page) and MONTH in words(page)


def test_a_case_is_found_by_how_its_number_begins(evaluator):
    page = read(evaluator.get(f"/cases?no={NUMBER[:12]}"))
    assert len(page.xpath("//tbody/tr")) == 8
    assert evaluator.get(page.xpath("//tbody/tr/th/a/@href")[0]).status_code == 200
    assert read(evaluator.get("/cases?no=nothing")).xpath("//p[@class='nothing']")


def test_a_unit_finds_its_own_cases_only(browser, house):
    browser.sign_in(*house.credentials("unit"))
    assert len(read(browser.get(f"/cases?no={NUMBER[:12]}")).xpath("//tbody/tr")) == 6
    others = world.case(8, "")["工单编号"]
    assert browser.get(f"/cases/h1/{others}").status_code == 400


def test_the_text_of_a_case_is_told_for_a_reason_that_is_logged(evaluator, house):
    assert evaluator.post(CASE, {"why": " "}).status_code == 400
    before = len(world.rows(house.city, "select from audit.access_log where subject = 'case_text'"))
    answer = evaluator.post(CASE, {"why": "核对申诉"})
    assert answer.status_code == 200 and read(answer).xpath("//article[@class='said']")
    logged = world.rows(house.city, "select accessed_by, why from audit.access_log where subject = 'case_text'")
    assert logged[before:] == [("house_shen", "核对申诉")]


def test_a_unit_reads_no_text(browser, house):
    browser.sign_in(*house.credentials("unit"))
    assert not read(browser.get(CASE)).xpath("//*[@id='text']")
    assert browser.post(CASE, {"why": "看看"}).status_code in (400, 403)


# What engineers and auditors look at


def test_the_account_of_a_date_is_that_of_the_statement(browser, house):
    browser.sign_in(*house.credentials("auditor"))
    page = read(browser.get(f"/audit/reconcile?date={world.LAST}"))
    told = {
        (words(row.xpath("./th")[0]), words(row.xpath("./td")[0])): words(row.xpath("./td")[3])
        for row in page.xpath("//tbody/tr")
    }
    statement = reconcile(house.people["auditor"], world.LAST)
    assert told == {(one.feed_name, one.delivery): f"{one.received:,}" for one in statement.lines}
    sheet = browser.get(f"/audit/reconcile?date={world.LAST}&format=xlsx")
    assert sheet.content.startswith(b"PK")


def test_the_tiles_are_the_deliveries_of_the_date(browser, house):
    browser.sign_in(*house.credentials("engineer"))
    page = read(browser.get(f"/feeds?date={world.LAST}"))
    found = [tile.get("class") for tile in page.xpath("//ul[@class='wall']/li")]
    assert found == ["missing", "accepted", "accepted"], "events never came"
    assert browser.get("/feeds?date=tomorrow").status_code == 400
    assert browser.get("/feeds/nobody").status_code == 400


def test_a_proof_says_what_is_proven_and_whose_hash_differs(browser, house):
    browser.sign_in(*house.credentials("auditor"))
    assert "没有外部见证相符" in words(read(browser.get(PROOF)))
    [(right,)] = world.rows(house.city, "select hash from publish.release")
    assert not read(browser.get(f"{PROOF}?expect={right[:12]}")).xpath("//p[@class='wrong']")
    assert read(browser.get(f"{PROOF}?expect={'0' * 12}")).xpath("//p[@class='wrong']")


def test_what_breaks_tells_a_number_and_nothing_else(evaluator, monkeypatch, caplog):
    monkeypatch.setattr("minhu.portal.pages.scores.published", lambda *_, **__: 1 / 0)
    evaluator.raises = False
    answer = evaluator.get(SCORES)
    assert answer.status_code == 500 and "ZeroDivisionError" not in answer.text
    number = re.search("[0-9a-f]{8}", words(read(answer).xpath("//p[@role='alert']")[0]))[0]
    assert any(number in record.getMessage() for record in caplog.records)


def test_who_reviews_rights_sees_each_login_with_what_it_comes_in_by(browser, house):
    browser.sign_in(*house.credentials("auditor"))
    of_units = read(browser.get("/people?group=unit")).xpath("//table")[0]
    rows = {words(row[0]): words(row) for row in of_units.xpath(".//tbody/tr")}
    told = rows[house.credentials("unit")[0]]
    assert "城管局" in told and "仅密码" in told
    assert house.credentials("auditor")[0] not in rows
    whole = read(browser.get("/people"))
    assert "能作决定，尚无第二重验证" in words(whole.xpath("//tbody/tr")[0]), "who decides comes first"
    with database.connect(house.city) as connection:
        known = {one["name"] for one in logins.logins(connection) if one["group"] in ROOMS}
    assert {words(cell).split()[0] for cell in whole.xpath("//table")[0].xpath(".//tbody//th")} == known
    rights = {words(row[0]): words(row) for row in whole.xpath("//section//tbody/tr")}
    assert "提出申诉" in rights["承办单位"] and "提出申诉" not in rights["审计"]


def test_a_password_and_a_token_are_on_no_page_of_people(browser, house):
    browser.sign_in(*house.credentials("engineer"))
    told = browser.get("/people").text
    assert house.credentials("auditor")[1] not in told and browser.cookie not in told


def test_a_scheme_is_told_in_words_and_its_versions_are_compared(house, browser):
    browser.sign_in(*house.credentials("unit"))
    page = read(browser.get("/schemes/linan"))
    told = words(page.get_element_by_id("main"))
    file = PROJECT_ROOT / "config" / "schemes" / "linan.yml"
    scheme = load_scheme(house.city.config / "schemes" / "linan.yml")
    for one in scheme.indicators:
        for group in scheme.peer_groups:
            if one.scores(group.code):
                assert scoring_rule(one, group.code, scheme.valid_from) in told or scheme.changes, one.code
    assert scheme.legal_basis[0].title in told and scheme.scheme_version in told
    assert not page.xpath("//select[@id='from']"), "there is no other version yet"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("title: ", "title: 新版", 1)
    (house.city.config / "schemes" / "linan.yml").write_text(changed, encoding="utf-8")
    sync(house.city)
    try:
        page = read(browser.get("/schemes/linan"))
        assert page.xpath("//select[@id='from']/option/@value") == [scheme.scheme_version]
        told = words(read(browser.get(f"/schemes/linan?from={scheme.scheme_version}")).get_element_by_id("changes"))
        assert "新版" in told and "改为" in told
        assert "已更替" in words(read(browser.get(f"/schemes/linan?version={scheme.scheme_version}")))
    finally:
        (house.city.config / "schemes" / "linan.yml").write_text(text, encoding="utf-8")
        sync(house.city)
    assert browser.get("/schemes/nothing").status_code == 400
    assert browser.get("/schemes/linan?version=x").status_code == 400
