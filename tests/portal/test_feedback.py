"""核对 on pages: an evaluator opens a closing, a unit looks at its own and remarks, and is answered; others do not."""

from collections.abc import Iterator

import pytest

from minhu.publish import close, publish
from minhu.publish.feedback import explain_closing
from tests.portal.conftest import MONTH, House, opened, people
from tests.portal.test_acts import fields, form_of
from tests.portal.test_pages import read, words
from tests.publish import city as world
from tests.publish.city import UNWITNESSED
from tests.publish.test_feedback import DAYS, ends_now


@pytest.fixture(scope="module")
def house(scratch, tmp_path_factory) -> Iterator[House]:
    """A closed October of which nothing is published."""
    city = world.make(scratch, tmp_path_factory.mktemp("looks"), more=DAYS)
    known = people(city, "looks", feed="h1")
    world.login(city, "looks_zhou", "evaluator")
    close(city, MONTH)
    with opened(city, tmp_path_factory.mktemp("looks-home"), "looks", known) as made:
        yield made


def test_from_opening_to_the_release(house, enter):
    shen, unit, wu = enter("evaluator"), enter("unit"), enter("auditor")
    assert "还没有开放过核对" in words(read(unit.get("/feedback")))
    assert unit.get("/feedback/1/U1").status_code == 400, "it is closed, and not opened"
    form = form_of(read(shen.get("/feedback")), "open_feedback")
    answer = shen.post(form.action, fields(form))
    assert answer.headers["location"] == "/feedback?done=open_feedback"
    assert not read(shen.get("/feedback")).xpath("//form[contains(@action, 'open_feedback')]")

    [link] = read(unit.get("/")).xpath("//a[starts-with(@href, '/feedback/')]/@href")
    page = read(unit.get(link))
    told = words(page.get_element_by_id("main"))
    shown = explain_closing(house.people["unit"], 1, "U1")
    assert "尚未发布，只供本单位核对" in told and f"{shown.score_100:.2f}" in told and "名，共" not in told
    row = page.xpath("//a[contains(@href, 'indicator_code=')]/@href")[0]
    page = read(unit.get(f"{link}{row.split('#')[0]}"))
    form = form_of(page, "/feedback/1/U1")
    assert form.fields["indicator_code"] and form.fields["case_no"], "what the row says is filled in"
    answer = unit.post(form.action, fields(form) | {"statement": "办结时间有误"})
    assert answer.status_code == 303 and "意见已提出" in words(read(unit.get(answer.headers["location"].split("#")[0])))

    assert "1 条核对意见待答复" in words(read(shen.get("/")))
    page = read(shen.get("/feedback"))
    form = form_of(page, "answer_remark", "remark-1")
    answer = shen.post(form.action, fields(form) | {"outcome": "stays_as_it_is", "reason": ""})
    assert answer.status_code == 400 and read(answer).get_element_by_id("remark-1").xpath(".//*[@role='alert']")
    answer = shen.post(form.action, fields(form) | {"outcome": "stays_as_it_is", "reason": "以回执时间为准"})
    assert answer.headers["location"] == "/feedback?done=answer_remark"
    assert "以回执时间为准" in words(read(unit.get(link))) and "以回执时间为准" in words(read(wu.get("/feedback")))

    world.judge(house.people["evaluator"], 1)
    ends_now(house.city)
    assert not read(unit.get(link)).xpath("//form[contains(@action, '/feedback/')]"), "the days are over"
    publish(house.city, MONTH, why=UNWITNESSED)
    told = words(read(unit.get(f"/scores/linan/{MONTH}")))
    assert "交各单位核对，提出意见 1 条，发布时未答复 0 条" in told
    assert "已发布" in words(read(unit.get("/feedback")))


def test_whose_it_is_not_sees_nothing_of_it(enter):
    unit = enter("unit")
    answer = unit.get("/feedback/1/U2")
    assert answer.status_code == 400
    assert unit.post("/feedback/1/U2", {"statement": "x"}).status_code == 400
    assert unit.post("/feedback/do/open_feedback", {"closing_id": "1"}).status_code in (400, 403)
    for group in ("bi", "engineer", "sender"):
        assert enter(group).get("/feedback").status_code == 403
    assert enter("evaluator").get("/feedback/1/U2").status_code == 200
