"""Before the first publication: each unit sees its own closed numbers and no other's, remarks, and is answered."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from minhu import assess, database
from minhu.errors import Refused
from minhu.publish import close, list_releases, publish, show_release
from minhu.publish.feedback import explain_closing, feedback, looked
from minhu.publish.stored_release import explain_release
from minhu.scoring import explain
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED

MONTH = "2026-10"
DAYS = "appeals: [{valid_from: 2020-01-01, feedback_workdays: 3}]\n"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory) -> Settings:
    return world.make(scratch, tmp_path_factory.mktemp("feedback"), more=DAYS)


@pytest.fixture(scope="module")
def people(city) -> dict[str, Settings]:
    names = {"fb_shen": "evaluator", "fb_zhou": "evaluator", "fb_wu": "auditor", "fb_bi": "bi"}
    made = {name: world.login(city, name, group) for name, group in names.items()}
    return made | {unit: world.login(city, f"fb_{unit}", "unit", unit=unit.upper()) for unit in ("u1", "u2")}


@pytest.fixture(scope="module")
def closing(city, people) -> Iterator[int]:
    made = close(city, MONTH)
    assess.record(people["fb_shen"], "open_feedback", closing_id=made.closing_id)
    yield made.closing_id


def rows(who: Settings, query: str, *given: object) -> list[tuple]:
    with database.connect(who) as connection:
        return connection.execute(query, given).fetchall()


def ends_now(city: Settings) -> None:
    """The days are over."""
    with database.connect(city, autocommit=True) as owner:
        owner.execute("alter table assess.feedback disable trigger append_only")
        owner.execute("update assess.feedback set ends_at = clock_timestamp() - interval '1 second'")
        owner.execute("alter table assess.feedback enable trigger append_only")


def test_it_lasts_the_declared_working_days(people, closing):
    [one] = feedback(people["fb_shen"])
    assert (one.closing_id, one.is_over, one.is_published, one.remarks) == (closing, False, False, 0)
    [(last,)] = rows(
        people["fb_wu"],
        "select (last_day.date_on + 1)::timestamp at time zone 'Asia/Shanghai' from mart.dim_date as first_day"
        " join mart.dim_date as last_day on last_day.workday_no = first_day.workday_no + 3"
        " where first_day.date_on = (%s at time zone 'Asia/Shanghai')::date order by last_day.date_on limit 1",
        one.opened_at,
    )
    assert one.ends_at == last and one.ends_at - one.opened_at > timedelta(days=2)


def test_a_unit_sees_its_own_numbers_as_they_were_closed_and_nobody_elses(city, people, closing):
    found = explain_closing(people["u1"], closing, "U1")
    newest = explain(people["fb_shen"], "U1", MONTH)
    assert (found.score_100, found.raw_points, found.band) == (newest.score_100, newest.raw_points, newest.band)
    lost = [(part.code, cost.case_no, cost.lost) for part in found.indicators for cost in part.costs]
    assert lost == [(part.code, cost.case_no, cost.lost) for part in newest.indicators for cost in part.costs] != []
    assert not found.shows_ranks and found.rank_in_group is None, "its place tells of others"
    with pytest.raises(Refused, match="own units"):
        explain_closing(people["u1"], closing, "U2")
    own = "select kind, data from publish.opened_rows(%s) where data ->> 'unit_code' = 'U1' order by kind, data::text"
    assert rows(people["u1"], own, closing) == rows(people["fb_wu"], own, closing) != []
    others = "select count(*) from publish.opened_rows(%s) where data ->> 'unit_code' is distinct from 'U1'"
    assert rows(people["u1"], others, closing) == [(0,)] != rows(people["fb_wu"], others, closing)
    places = "select count(*) from publish.opened_rows(%s) where data ?| array['rank_in_group', 'listed_on']"
    assert rows(people["u1"], places, closing) == [(0,)], "a place tells of others"
    assert rows(people["u1"], "select count(*) from publish.frozen_row") == [(0,)]
    assert rows(people["u1"], "select 1 from publish.unit_score") == []


@pytest.mark.parametrize("who", ["u1", "u2", "fb_bi"])
def test_what_is_not_open_is_not_seen(city, people, who, closing):
    """A later closing that nobody opened."""
    with pytest.raises((Refused, psycopg.errors.InsufficientPrivilege)):
        explain_closing(people[who], closing + 1000, "U1")


def test_a_unit_remarks_and_only_itself_and_who_judges_reads_it(people, closing):
    given = {"closing_id": closing, "feed_code": "h1", "case_no": world.case(5, "")["工单编号"]}
    given |= {"indicator_code": "close_on_time", "statement": "办结时间有误，请核对，来电 13800001111"}
    number = assess.record(people["u1"], "remark", **given)
    [told] = assess.listing(people["fb_shen"], "remarks")
    of = told["remark_id"], told["state"], told["unit_code"], told["filed_by"]
    assert of == (number, "unanswered", "U1", "fb_u1")
    assert told["case_no"] == given["case_no"] and "13800001111" not in told["statement"]
    assert len(assess.listing(people["u1"], "remarks")) == 1 and assess.listing(people["u2"], "remarks") == []
    assert [one.remarks for one in feedback(people["u2"])] == [0]
    with pytest.raises(Refused, match="fb_u1"):
        assess.record(people["u1"], "answer_remark", remark_id=number, outcome="stays_as_it_is", reason="x")


@pytest.mark.parametrize(
    ("who", "given", "why"),
    [
        ("u1", {"unit_code": "U2"}, "does not speak for"),
        ("u1", {"indicator_code": "reply_quality"}, "does not score"),
        ("u1", {"statement": " "}, "情况说明"),
        ("u1", {"statement": "行" * 2001}, "2000 letters"),
        ("fb_shen", {"unit_code": "U1"}, "fb_shen"),
    ],
)
def test_what_is_no_remark_is_refused(people, closing, who, given, why):
    with pytest.raises(Refused, match=why):
        assess.record(people[who], "remark", **({"closing_id": closing, "statement": "有误"} | given))


@pytest.mark.parametrize("who", ["u1", "fb_wu", "fb_bi"])
def test_nobody_else_opens_a_period(people, closing, who):
    with pytest.raises(Refused):
        assess.record(people[who], "open_feedback", closing_id=closing)


def test_it_is_opened_once(people, closing):
    with pytest.raises(Refused, match="open to units already"):
        assess.record(people["fb_zhou"], "open_feedback", closing_id=closing)


def test_nothing_is_published_while_units_look_and_the_release_says_what_was_unanswered(city, people, closing):
    first, second = (
        assess.record(people["u2"], "remark", closing_id=closing, statement=text) for text in ("派单有误", "回访有误")
    )
    assess.record(people["fb_shen"], "answer_remark", remark_id=first, outcome="stays_as_it_is", reason="派单无误")
    with pytest.raises(Refused, match="answered already"):
        assess.record(people["fb_zhou"], "answer_remark", remark_id=first, outcome="accepted_remark", reason="x")
    world.judge(people["fb_shen"], closing)
    with pytest.raises(Refused, match="open to units until"):
        publish(city, MONTH, why=UNWITNESSED)
    assert list_releases(city) == []
    ends_now(city)
    with pytest.raises(Refused, match="was open to units until"):
        assess.record(people["u2"], "remark", closing_id=closing, statement="迟了")
    release = publish(city, MONTH, why=UNWITNESSED)
    assess.record(people["fb_zhou"], "answer_remark", remark_id=second, outcome="accepted_remark", reason="修订时更正")
    for who in ("fb_shen", "fb_wu", "fb_bi", "u1"):
        told = looked(people[who], release.release_id)
        assert (told.remarks, told.unanswered) == (3, 2), "as it was at the publication, for everybody"
    assert [one.is_published for one in feedback(people["u1"])] == [True]
    shown = explain_release(people["u1"], "U1", MONTH)
    assert shown.score_100 == explain_closing(people["u1"], closing, "U1").score_100
    assert show_release(people["u1"], MONTH)[0].release_id == release.release_id


@pytest.mark.long
def test_a_revision_is_not_opened_and_what_is_closed_again_is_remarked_on_no_more(scratch, tmp_path):
    city = world.make(scratch, tmp_path, more=DAYS)
    shen, unit = world.login(city, "fb_li", "evaluator"), world.login(city, "fb_u3", "unit", unit="U1")
    world.login(city, "fb_an", "evaluator")
    first = close(city, MONTH).closing_id
    assess.record(shen, "open_feedback", closing_id=first)
    assess.record(unit, "remark", closing_id=first, statement="有误")
    world.deliver(city, [world.case(50, "城管局", **world.IN_TIME)])
    build(city)
    second = close(city, MONTH).closing_id
    with pytest.raises(Refused, match="closed again"):
        assess.record(unit, "remark", closing_id=first, statement="有误")
    with pytest.raises(Refused, match="not open to units"):
        assess.record(unit, "remark", closing_id=second, statement="有误")
    with pytest.raises(Refused, match="may look at"):
        explain_closing(unit, second, "U1")
    assert [(one.is_open, one.is_replaced) for one in feedback(unit)] == [(False, True)]
    world.judge(shen, second)
    with pytest.raises(Refused, match=f"closing {first} is open to units until"):
        publish(city, MONTH, why=UNWITNESSED)
    ends_now(city)
    with pytest.raises(Refused, match=f"not at closing {second}"):
        publish(city, MONTH, why=UNWITNESSED)
    assess.record(shen, "open_feedback", closing_id=second)
    ends_now(city)
    release = publish(city, MONTH, why=UNWITNESSED)
    assert looked(unit, release.release_id).remarks == 1, "what was said of the first closing is told, too"
    with pytest.raises(Refused, match="published already"):
        assess.record(shen, "open_feedback", closing_id=first)


def test_a_city_that_says_no_days_opens_nothing(scratch, tmp_path):
    city = world.make(scratch, tmp_path)
    shen = world.login(city, "fb_mei", "evaluator")
    world.login(city, "fb_an", "evaluator")
    closing = close(city, MONTH).closing_id
    with pytest.raises(Refused, match="feedback_workdays"):
        assess.record(shen, "open_feedback", closing_id=closing)
    assert looked(city, 1) is None
