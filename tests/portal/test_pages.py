"""Every page over HTTP, read with a parser: what it shows is what the database holds; what may not be is refused."""

from decimal import Decimal

import pytest
from lxml import html

from minhu import database
from minhu.portal.app import HEADERS
from tests.portal.conftest import MONTH, Browser, House
from tests.publish import city as world

SCORES = f"/scores/linan/{MONTH}"


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


def test_who_guesses_waits_and_so_does_his_address(house):
    name, password = house.credentials("bi")
    answers = [Browser(house.desk).sign_in(name, f"guess {n}").status_code for n in range(8)]
    assert answers[:5] == [403] * 5 and 429 in answers[5:]
    told = Browser(house.desk).sign_in(name, password)
    assert told.status_code == 429 and "请稍候" in words(read(told))
    assert Browser(house.desk).sign_in(*house.credentials("auditor")).status_code == 303, "others are let in"
    with database.connect(house.city) as connection:
        connection.execute("update portal.failure set failed_at = failed_at - interval '31 s'")
    assert Browser(house.desk).sign_in(name, password).status_code == 303
    for n in range(30):
        Browser(house.desk).sign_in(f"somebody_{n}", "guess")
    assert Browser(house.desk).sign_in(*house.credentials("auditor")).status_code == 429
    with database.connect(house.city) as connection:
        connection.execute("delete from portal.failure")


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
        page = read(answer)
        assert page.xpath("//*[@style or @onclick] | //script | //style") == []
        assert all(link.startswith("/") for link in page.xpath("//@src | //link/@href"))


@pytest.mark.parametrize("group", ["evaluator", "auditor", "unit"])
def test_the_scores_are_those_that_were_published(browser, house, group):
    browser.sign_in(*house.credentials(group))
    page = read(browser.get(SCORES))
    shown = {
        words(row.xpath("./th")[0]): Decimal(row.xpath("./td[contains(@class, 'score')]")[0].text)
        for row in page.xpath("//table/tbody/tr")
    }
    published = world.rows(
        house.people["auditor"],
        "select unit_name, score_100 from publish.unit_score join mart.dim_unit using (unit_code)",
    )
    assert shown == dict(published) and len(shown) == 2


def test_who_may_not_see_a_page_is_told_so_and_nothing_of_the_database(browser, house):
    browser.sign_in(*house.credentials("bi"))
    answer = browser.get(SCORES)
    assert answer.status_code == 403
    assert "不能查看" in words(read(answer)) and "permission" not in answer.text


def test_the_front_page_leads_to_what_is_published(evaluator):
    page = read(evaluator.get("/"))
    [link] = page.xpath("//table//a/@href")
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
