"""The API: who may ask what, what is answered in which form, page by page, and what is wrong in both languages."""

import asyncio
import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import BytesIO, StringIO

import fastexcel
import pytest

from minhu.portal.api.answers import cursor
from minhu.portal.api.app import PREFIX, api
from minhu.portal.api.calling import PROBLEMS, Buckets, TooOften
from minhu.publish.diff import show_release
from minhu.publish.stored_release import explain_release
from tests.portal.conftest import GROUP, MONTH, Browser, House
from tests.portal.test_pages import NUMBER
from tests.publish import city as world

READERS = set(GROUP) - {"sender"}
OF = f"scheme=linan&period={MONTH}"
SEES = {
    "/me": set(GROUP),
    "/keys": set(GROUP),
    "/schemes": {"evaluator", "auditor", "unit", "engineer"},
    "/periods": READERS,
    f"/scores?{OF}": READERS,
    f"/indicators?{OF}": READERS,
    f"/evidence?{OF}&unit=U1": READERS,
    "/releases": READERS,
    f"/verification/linan/{MONTH}": READERS,
    "/units": READERS,
    f"/units/U1/{MONTH}": {"evaluator", "auditor", "unit", "engineer"},
    f"/units/U2/{MONTH}": {"evaluator", "auditor", "engineer"},
    f"/cases?number={NUMBER[:12]}": {"evaluator", "auditor", "unit", "engineer"},
    f"/cases/h1/{NUMBER}": {"evaluator", "auditor", "unit", "engineer"},
    f"/cases/h1/{world.case(8, '')['工单编号']}": {"evaluator", "auditor", "engineer"},
    f"/feeds?date={world.LAST}": {"evaluator", "auditor", "engineer"},
    "/feeds/h1/batches": {"evaluator", "auditor", "engineer"},
    "/quality/runs": {"auditor", "engineer"},
    "/quality/runs/1/failures": {"auditor", "engineer"},
    "/findings": {"evaluator", "auditor", "engineer"},
    "/appeals": {"evaluator", "auditor", "unit"},
    "/decisions": set(GROUP),
    "/dictionary": set(GROUP),
    "/words": set(GROUP),
    "/deliveries": {"sender"},
    "/receipts": {"sender"},
    "/receipts/1": set(),  # nothing was posted
    "/attachments/appeal/1": {"evaluator", "auditor", "unit", "engineer"},
    "/attachments/1": set(),  # nothing is attached
    "/jobs": set(GROUP),
    "/jobs/999": set(),  # it is nobody's
    "/jobs/999/file": set(),
}
"""Every address that reads, and who is answered; the others are refused by the database."""


class Program(Browser):
    """Holds a key instead of a cookie."""

    def __init__(self, house: House, token: str) -> None:
        super().__init__(house.desk)
        self._key = {"authorization": f"Bearer {token}"}

    def ask(self, path: str, method: str = "GET", headers: dict | None = None, **how: object):
        return asyncio.run(self._ask(method, f"{PREFIX}{path}", headers=self._key | (headers or {}), **how))


@pytest.fixture
def key(house: House):
    """``key("unit")`` is a program with a key of that person."""

    def made(group: str, *, may_decide: bool = False) -> Program:
        session = house.desk.sign_in(*house.credentials(group))
        _, token = house.desk.make_key(session, "test", may_decide, timedelta(days=1))
        return Program(house, token)

    return made


@pytest.mark.parametrize("group", GROUP)
def test_each_group_is_answered_what_the_database_lets_it_read(key, group):
    program = key(group)
    for path, groups in SEES.items():
        answer = program.ask(path)
        assert (answer.status_code == 200) is (group in groups), (path, answer.status_code, answer.text)
        if answer.status_code != 200:
            assert answer.status_code in (400, 403), path
            assert answer.headers["content-type"] == "application/problem+json"


def test_every_address_that_reads_is_tried(house):
    told = api(house.desk).openapi()["paths"]
    reads = {path for path, methods in told.items() if "get" in methods}
    tried = {path.split("?")[0] for path in SEES}
    shapes = {path: path.replace("{", "").split("/") for path in reads}
    for path, parts in shapes.items():
        assert any(
            len(one.split("/")) == len(parts) and one.split("/")[1] == parts[1] for one in tried
        ) or path.endswith("/diff"), path


def test_what_is_described_is_whole(house):
    told = api(house.desk).openapi()
    assert told["security"] == [{"key": []}]
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one["description"] and one["tags"], (path, method)
            answers = one["responses"]
            assert {"400", "401", "403", "422", "429", "503"} <= set(answers), (path, method)
            [done] = [code for code in answers if code.startswith("2")]
            if done != "204":
                assert answers[done]["content"], (path, method)
    problem = told["components"]["schemas"]["Problem"]
    assert {"title", "title_zh", "code", "detail", "instance"} <= set(problem["properties"])


def test_nobody_is_answered_without_a_key(house, browser):
    for headers in (
        {},
        {"authorization": "Bearer x"},
        {"authorization": "Bearer unit.x"},
        {"authorization": "Basic eA=="},
    ):
        answer = browser.get(f"{PREFIX}/me", headers=headers)
        told = answer.json()
        assert (answer.status_code, told["code"], told["title_zh"]) == (401, "not_signed_in", "需要有效的密钥")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_browsers_session_reads_and_does_nothing(browser, house):
    browser.sign_in(*house.credentials("evaluator"))
    assert browser.get(f"{PREFIX}/me").json()["login"] == "house_shen"
    answer = browser.post(f"{PREFIX}/decisions/exclude", {"x": "y"})
    assert answer.status_code == 401


def test_the_scores_are_those_that_were_published_to_the_last_digit(key, house):
    rows = key("unit").ask(f"/scores?{OF}").json()["items"]
    _, units = show_release(house.people["auditor"], MONTH)
    assert {row["unit_code"]: Decimal(row["score_100"]) for row in rows} == {
        one["unit_code"]: one["score_100"] for one in units
    }
    assert all(isinstance(row["score_100"], str) for row in rows)


def test_an_explanation_is_that_of_the_command(key, house):
    told = key("unit").ask(f"/units/U1/{MONTH}").json()
    found = explain_release(house.people["unit"], "U1", MONTH)
    assert told["raw_points"] == f"{found.raw_points:f}"
    assert [one["code"] for one in told["indicators"]] == [one.code for one in found.indicators]
    costs = {cost["published_row"] for one in told["indicators"] for cost in one["costs"]}
    assert costs == {cost.published_row for one in found.indicators for cost in one.costs}


@pytest.mark.parametrize("what", ["scores", "indicators", "evidence"])
def test_pages_follow_one_another_and_miss_and_double_nothing(key, what):
    program = key("evaluator")
    path = f"/{what}?{OF}" + ("&unit=U1" if what == "evidence" else "")
    whole = program.ask(path).json()
    assert whole["next"] is None
    found, address = [], f"{path}&limit=1"
    while address:
        answer = program.ask(address)
        found += answer.json()["items"]
        following = answer.json()["next"]
        assert ('rel="next"' in answer.headers.get("link", "")) is (following is not None)
        address = f"{path}&limit=1&after={following}" if following else None
    assert found == whole["items"] and len(found) > 1


@pytest.mark.parametrize("after", ["x", "====", cursor("a", "b", "c", "d"), cursor("a")[:-1] + "é"])
def test_a_cursor_that_is_none_is_refused(key, after):
    answer = key("evaluator").ask(f"/indicators?{OF}&after={after}")
    assert (answer.status_code, answer.json()["code"]) == (400, "refused")


def test_rows_come_as_csv_and_as_a_workbook_and_are_logged_then(key, house):
    program = key("bi")
    rows = program.ask(f"/scores?{OF}").json()["items"]
    logged = "select about, accessed_by from audit.access_log where subject = 'export' order by entry_id"
    before = len(world.rows(house.city, logged))
    answer = program.ask(f"/scores?{OF}", headers={"accept": "text/csv"})
    told = list(csv.DictReader(StringIO(answer.text.lstrip("\ufeff"))))
    assert [row["score_100"] for row in told] == [row["score_100"] for row in rows]
    book = program.ask(
        f"/scores?{OF}", headers={"accept": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
    )
    sheet = fastexcel.read_excel(BytesIO(book.content).getvalue()).load_sheet(0).to_polars()
    assert sheet["unit_code"].to_list() == [row["unit_code"] for row in rows]
    assert world.rows(house.city, logged)[before:] == [(f"scores linan {MONTH} revision 1", "house_bi")] * 2


def test_what_has_not_changed_is_not_sent_again(key):
    program = key("auditor")
    first = program.ask(f"/scores?{OF}")
    again = program.ask(f"/scores?{OF}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = program.ask(f"/scores?{OF}&limit=1", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    table = program.ask(f"/scores?{OF}", headers={"if-none-match": first.headers["etag"], "accept": "text/csv"})
    assert table.status_code == 200, "another form is another thing"


def test_a_key_decides_nothing_unless_it_may(key, house):
    row = world.rows(house.city, "select published_row from publish.row_of_release where unit_code = 'U1' limit 1")[0][
        0
    ]
    fields = {"published_row": row, "grounds_code": "mis_dispatched", "statement": "错派", "evidence_ref": "x"}
    refused = key("unit").ask("/decisions/file_appeal", "POST", json={"fields": fields})
    assert (refused.status_code, refused.json()["code"]) == (400, "refused"), "in the words of the act"
    assert not world.rows(house.city, "select from assess.appeal")
    made = key("unit", may_decide=True).ask("/decisions/file_appeal", "POST", json={"fields": fields})
    assert made.status_code == 201 and made.json()["act"] == "file_appeal"
    told = key("auditor").ask("/appeals").json()["items"]
    assert [(one["appeal_id"], one["filed_by"]) for one in told] == [(made.json()["number"], "house_u1")]


def test_what_a_form_lacks_is_told_without_what_was_sent(key):
    program = key("evaluator", may_decide=True)
    answer = program.ask("/decisions/exclude", "POST", json={"fields": {"reason": "市民13912345678"}})
    assert answer.status_code == 400 and "13912345678" not in answer.text
    answer = program.ask("/decisions/exclude", "POST", json={"fields": {"reason": {"x": "13912345678"}}})
    assert (answer.status_code, answer.json()["code"]) == (422, "unfit") and "13912345678" not in answer.text
    assert program.ask("/decisions/drop_table", "POST", json={"fields": {}}).status_code == 400
    assert program.ask("/decisions/exclude", "POST", content=b"{").status_code == 422


def test_keys_are_made_listed_and_ended(house):
    session = house.desk.sign_in(*house.credentials("auditor"))
    program = Program(house, session.cookie)
    made = program.ask("/keys", "POST", json={"name": "月报表", "days": 30}).json()
    other = Program(house, made["token"])
    assert other.ask("/me").json()["login"] == "house_wu"
    assert other.ask("/keys", "POST", json={"name": "again"}).status_code in (400, 403), "a key makes no key"
    told = {one["key_id"]: one for one in program.ask("/keys").json()["items"]}
    assert told[made["key_id"]]["name"] == "月报表" and made["token"] not in json.dumps(told)
    assert program.ask(f"/keys/{made['key_id']}", "DELETE").status_code == 204
    assert other.ask("/me").status_code == 401
    assert program.ask("/sessions/current", "DELETE").status_code == 204
    assert program.ask("/me").status_code == 401


def test_a_program_signs_in_and_a_wrong_password_is_no_clue(house):
    program = Program(house, "x")
    name, password = house.credentials("bi")
    token = program.ask("/sessions", "POST", json={"name": name, "password": password}).json()["token"]
    assert Program(house, token).ask("/me").json()["group"] == "bi"
    answers = [
        program.ask("/sessions", "POST", json={"name": who, "password": "wrong"}) for who in (name, "nobody_here")
    ]
    assert [one.status_code for one in answers] == [400, 400]
    assert len({one.json()["detail"].replace(name, "").replace("nobody_here", "") for one in answers}) == 1
    world.rows(house.city, "delete from portal.failure returning 1")


def test_every_answer_has_a_number_and_takes_the_callers(key):
    program = key("bi")
    assert program.ask("/me", headers={"x-request-id": "report-7"}).headers["x-request-id"] == "report-7"
    for bad in ("x" * 65, "a b", "<script>"):
        assert program.ask("/me", headers={"x-request-id": bad}).headers["x-request-id"] != bad
    answer = program.ask("/nothing")
    assert (answer.status_code, answer.json()["instance"]) == (404, answer.headers["x-request-id"])
    assert program.ask("/me", "POST").status_code == 405


def test_what_breaks_tells_a_number_alone(key, monkeypatch):
    monkeypatch.setattr("minhu.portal.api.routes.list_releases", lambda *_: 1 / 0)
    program = key("bi")
    program.raises = False
    answer = program.ask("/releases")
    assert (answer.status_code, answer.json()["code"]) == (500, "broken") and "Zero" not in answer.text


def test_who_asks_too_often_waits():
    buckets = Buckets(per_second=1, at_once=3)
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(TooOften):
        buckets.take("a")
    buckets.take("b")


def test_too_many_requests_are_told_when_to_come_again(key):
    program = key("bi")
    answers = []
    program._app.routes[-2].app.state.buckets = Buckets(per_second=0.1, at_once=2)
    for _ in range(3):
        answers.append(program.ask("/me"))
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_every_problem_is_told_in_both_languages():
    assert all(title.isascii() and not zh.isascii() for _, title, zh in PROBLEMS.values())


def test_what_cannot_be_kept_is_the_callers_fault(house, key):
    program = key("unit", may_decide=True)
    session = house.desk.sign_in(*house.credentials("unit"))
    asked = {"authorization": f"Bearer {session.cookie}"}
    answer = Program(house, session.cookie).ask("/keys", "POST", json={"name": "a\x00b"}, headers=asked)
    assert answer.status_code == 422 and "\x00" not in answer.text
    given = {"fields": {"closing_id": "1", "statement": "a\x00b"}}
    assert program.ask("/decisions/remark", "POST", json=given).status_code in (400, 422)


def test_what_cannot_be_kept_is_told_on_pages_too(house):
    browser = Browser(house.desk)
    browser.sign_in(*house.credentials("evaluator"))
    for path in (
        "/cases?number=%00",
        "/scores/linan/2026-10?q=%00",
        "/units/%00/2026-10",
        "/schemes/%00",
        "/feeds/%00",
    ):
        assert browser.get(path).status_code in (200, 400, 404), path
