"""The examples of the readings of edition 2, worked by the second path alone: no database, no warehouse.

What is told of a matter is written line by line: a day and time of 2026, the event, the unit (- names nobody), and
where it is not 12345 the hotline under whose number it was told; `lead`, `support` and `due=10-23` say role and date.
"""

from datetime import datetime
from pathlib import Path

import pytest
import yaml

from minhu.settings import PROJECT_ROOT
from tests.oracle import measures
from tests.oracle.decided import Decided
from tests.oracle.lifecycle import Assignment, City, Matter
from tests.oracle.register import Register
from tests.oracle.staged import Event, Staged
from tests.reference.clock import CITY

HOTLINES = {"110": None, "12345": "110", "96345": "12345"}
"""Each number follows the one before it: all three are one matter."""
FIVE_DAYS = {"limit_kind": "close", "amount": 5, "unit": "workday", "starts": "next_day"}
"""Dispatched 10-09: due 10-16 00:00. Dispatched 10-12: due 10-20 00:00."""
TWO_HOURS = {"limit_kind": "sign", "amount": 2, "unit": "hour", "starts": "at_once"}
EDITION_2 = [{"valid_from": "2020-01-01", "edition": 2}]
WITHIN_TWO_DAYS = {"ask_within": {"amount": 2, "unit": "workday"}}


def at(text: str) -> datetime:
    """`10-16` is its first moment, 00:00."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"2026-{day} {clock or '00:00'}").replace(tzinfo=CITY)


class Told:
    """A city in which one matter was told, under readings, limits and words of the feeds."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, story: str, readings=EDITION_2, limits=(TWO_HOURS, FIVE_DAYS), feeds=None) -> "Told":
        self.configure(readings, limits, feeds or {})
        cases = {}
        for code, upstream in HOTLINES.items():
            nothing = ("caller_token", "title", "content", "address", "area_code", "channel", "category_code")
            cases[code, "1"] = dict.fromkeys(nothing) | {
                "received_at": at("10-08 08:00"),
                "request_type": "complaint",
                "urgency": "normal",
                "upstream_feed_code": upstream,
                "upstream_case_no": upstream and "1",
            }
        self.city = City(
            Staged(cases, [event(line) for line in story.splitlines() if line.strip()]), Register(self.folder)
        )
        return self

    def configure(self, readings, limits, feeds) -> None:
        lines = ["unit_code,unit_name,linkage_level,peer_group,has_24h_duty,aliases,valid_from,valid_to,population"]
        lines += [f"U{name},{name},1,department,false,,2020-01-01,,1" for name in "ABCS"]
        (self.folder / "units.csv").write_text("\n".join(lines), encoding="utf-8")
        calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
        (self.folder / "calendar.csv").write_text(calendar, encoding="utf-8")
        for part in ("feeds", "schemes"):
            (self.folder / part).mkdir(exist_ok=True)
        written = {"city.yml": {"readings": readings} if readings else {"code": "testcity"}}
        written |= {f"feeds/{code}.yml": {"code": code, **feeds.get(code, {})} for code in HOTLINES}
        written["schemes/one.yml"] = {"id": "one", "valid_from": "2026-01-01", "limits": list(limits)}
        for name, data in written.items():
            (self.folder / name).write_text(yaml.safe_dump(data), encoding="utf-8")

    @property
    def matter(self) -> Matter:
        return self.city.matters["110", "1"]

    def duties(self, unit: str | None) -> list[Assignment]:
        return [one for one in self.matter.assignments if one.unit_name_raw == unit]

    def duty(self, unit: str | None) -> Assignment:
        (one,) = self.duties(unit)
        return one

    def called_about(self, unit: str, called_at: str) -> Assignment | None:
        call = {"feed_code": "12345", "called_at": at(called_at), "unit_name": unit}
        return self.city.called_about(self.matter, call)

    def case_closed_at(self) -> datetime | None:
        return self.city.told_of(self.matter, ("110", "1"))["closed_at"]

    def counts(self, measure: str, one: Assignment) -> str:
        """What a duty counts in a measure, judged long after all limits."""
        for row in measures.rows(self.city, Decided([], []), measure, with_support=True):
            if row.assignment is one:
                return "0 of 0" if row.excluded else f"{row.numerator or 0} of 1"
        return "no row"


def event(line: str) -> Event:
    day, clock, event_type, unit, *more = line.split()
    feed = next((word for word in more if word in HOTLINES), "12345")
    due = next((word.removeprefix("due=") for word in more if word.startswith("due=")), None)
    return Event(
        case=(feed, "1"),
        sender=feed,
        event_type=event_type,
        at=at(f"{day} {clock}"),
        unit_name=None if unit == "-" else unit,
        unit_role=next((word for word in more if word in ("lead", "support")), None),
        due_at=due and at(due.replace("T", " ")),
    )


def ended(one: Assignment) -> tuple:
    return one.facts["end_reason"], one.facts["ended_at"]


@pytest.fixture
def told(tmp_path) -> Told:
    return Told(tmp_path)


# -- lead-answers ------------------------------------------------------------------------------------------------------


def test_the_case_is_closed_when_the_lead_has_closed(told):
    story = told("""
        10-12 09:00 DISPATCH A
        10-12 10:00 ADD_UNIT B
        10-12 11:00 ADD_UNIT C
        10-19 10:00 CLOSE A
        10-20 10:00 CLOSE B
        10-21 10:00 CLOSE C
    """)
    assert story.case_closed_at() == at("10-19 10:00")
    assert [story.duty(unit).facts["is_closed_on_time"] for unit in "ABC"] == [True, False, False]


def test_a_case_all_of_whose_leads_were_relieved_is_not_closed(told):
    story = told("""
        10-12 09:00 DISPATCH A
        10-12 15:00 REDISPATCH B
        10-13 09:00 RETURN_GRANT B
    """)
    assert ended(story.duty("A")) == ("superseded", at("10-12 15:00")) and story.case_closed_at() is None


# -- duty-ends ---------------------------------------------------------------------------------------------------------


def test_redispatched_and_back(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH B
        10-10 10:00 REDISPATCH A
        10-14 10:00 CLOSE A
    """)
    first, second = story.duties("A")
    between = story.duty("B")
    assert ended(first) == ("superseded", at("10-09 15:00")) and first.facts["superseded_by"] is between
    assert ended(between) == ("superseded", at("10-10 10:00")) and between.facts["superseded_by"] is second
    assert ended(second) == ("closed", at("10-14 10:00")) and second.facts["is_closed_on_time"] is True
    counted = [story.counts("close_on_time", one) for one in (first, between, second)]
    assert counted == ["0 of 0", "0 of 0", "1 of 1"] and story.case_closed_at() == at("10-14 10:00")


def test_reworked_in_the_second_in_which_it_was_sent_back(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-14 10:00 CLOSE A
        10-18 09:00 REVIEW_BACK A
        10-18 09:00 REWORK A
        10-19 10:00 CLOSE A
    """)
    first, second = story.duties("A")
    assert ended(first) == ("superseded", at("10-18 09:00")) and first.facts["closed_at"] is None
    assert first.facts["reworked_at"] == at("10-18 09:00") and first.facts["review_back_count"] == 1
    assert ended(second) == ("closed", at("10-19 10:00")) and second.round == 2
    assert story.case_closed_at() == at("10-19 10:00")


def test_what_stood_closed_when_rework_came_was_closed_and_no_review_opens_it_again(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-14 10:00 CLOSE A
        10-18 09:00 REWORK B
        10-19 09:00 REVIEW_BACK A
        10-19 10:00 CLOSE B
    """)
    assert ended(story.duty("A")) == ("closed", at("10-14 10:00"))
    assert story.duty("A").facts["superseded_by"] is None and story.case_closed_at() == at("10-19 10:00")


def test_rework_ends_the_open_duty_of_the_unit_that_it_goes_to(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-10 09:00 DISPATCH B
        10-12 10:00 CLOSE A
        10-13 09:00 REWORK B
    """)
    first, second = story.duties("B")
    assert ended(first) == ("superseded", at("10-13 09:00")) and first.facts["superseded_by"] is second
    assert ended(story.duty("A")) == ("closed", at("10-12 10:00"))


def test_rework_of_a_support_unit_ends_its_open_support_duty(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 10:00 ADD_UNIT S
        10-13 09:00 REWORK S
        10-14 09:00 CLOSE S
    """)
    first, second = story.duties("S")
    assert ended(first) == ("superseded", at("10-13 09:00")) and ended(second) == ("closed", at("10-14 09:00"))
    assert ended(story.duty("A")) == (None, None)


def test_rework_speaks_of_who_did_the_work_and_not_of_who_had_been_relieved(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH B
        10-13 09:00 CLOSE B
        10-14 09:00 REWORK A
    """)
    first, _ = story.duties("A")
    assert first.facts["reworked_at"] is None and story.duty("B").facts["reworked_at"] == at("10-14 09:00")


def test_a_redispatch_answers_a_return_and_ends_nothing_more(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 10:00 DISPATCH B
        10-10 09:00 RETURN_REQUEST B
        10-10 10:00 RETURN_GRANT B
        10-10 11:00 REDISPATCH C
    """)
    assert ended(story.duty("B")) == ("returned", at("10-10 10:00"))
    assert ended(story.duty("A")) == ended(story.duty("C")) == (None, None)


def test_the_next_redispatch_has_no_return_to_answer(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-10 10:00 RETURN_GRANT A
        10-10 11:00 REDISPATCH B
        10-11 11:00 REDISPATCH C
    """)
    assert ended(story.duty("B")) == ("superseded", at("10-11 11:00"))


def test_a_support_units_return_is_none_that_a_redispatch_answers(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 10:00 ADD_UNIT S
        10-10 10:00 RETURN_GRANT S
        10-10 11:00 REDISPATCH B
    """)
    assert ended(story.duty("A")) == ("superseded", at("10-10 11:00"))


def test_what_another_hotline_gave_ends_by_that_hotlines_record_alone(told):
    story = told("""
        10-09 09:00 DISPATCH A 110
        10-09 10:00 DISPATCH B
        10-09 11:00 REDISPATCH C
        10-09 12:00 REDISPATCH C 110
    """)
    assert ended(story.duty("B")) == ("superseded", at("10-09 11:00"))
    assert ended(story.duty("A")) == ("superseded", at("10-09 12:00"))
    assert story.duty("A").facts["superseded_by"] is story.duty("C")  # told 110 too: one duty


def test_a_redispatch_to_nobody_ends_and_ends_itself_with_the_next(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH -
        10-09 16:00 REDISPATCH -
    """)
    assert ended(story.duty("A")) == ("superseded", at("10-09 15:00"))
    assert [ended(one)[0] for one in story.duties(None)] == ["superseded", None]


@pytest.mark.parametrize(("says", "reason"), [({}, None), ({"another_lead": "replaces"}, "superseded")])
def test_a_dispatch_joins_unless_its_feed_says_that_it_replaces(told, says, reason):
    story = told(
        """
        10-09 09:00 DISPATCH A
        10-09 15:00 DISPATCH B
        """,
        feeds={"12345": says},
    )
    assert ended(story.duty("A"))[0] == reason and ended(story.duty("B")) == (None, None)


def test_nothing_counts_after_the_end_but_a_return(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH B
        10-10 09:00 SIGN A
        10-10 09:10 FIRST_CONTACT A
        10-10 09:20 RETURN_REQUEST A
        10-10 10:00 CLOSE A
        10-11 10:00 TERMINATE -
    """)
    facts = story.duty("A").facts
    assert [facts[name] for name in ("signed_at", "contacted_at", "closed_at", "voided_at")] == [None] * 4
    assert facts["return_request_count"] == 1 and ended(story.duty("B")) == ("terminated", at("10-11 10:00"))
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH B
        10-10 10:00 RETURN_GRANT A
    """)
    assert ended(story.duty("A")) == ("returned", at("10-10 10:00")) and ended(story.duty("B")) == (None, None)


def test_a_review_after_the_end_sends_nothing_back(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-14 10:00 CLOSE A
        10-18 09:00 REWORK A
        10-18 10:00 CLOSE A
        10-18 11:00 REWORK B
        10-19 09:00 REVIEW_BACK A
    """)
    assert [one.facts["review_back_count"] for one in story.duties("A")] == [0, 0]
    assert [ended(one) for one in story.duties("A")] == [("closed", at("10-14 10:00")), ("closed", at("10-18 10:00"))]


def test_what_stood_closed_when_a_redispatch_came_can_still_be_sent_back(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-12 10:00 CLOSE A
        10-12 15:00 REDISPATCH B
        10-13 09:00 REVIEW_BACK A
        10-14 10:00 CLOSE A
    """)
    assert ended(story.duty("A")) == ("closed", at("10-14 10:00")) and story.duty("A").facts["review_back_count"] == 1


def test_a_return_of_what_another_had_taken_the_place_of_is_answered_already(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 15:00 REDISPATCH B
        10-10 10:00 RETURN_GRANT A
        10-10 11:00 REDISPATCH C
    """)
    assert ended(story.duty("A")) == ("returned", at("10-10 10:00"))
    assert ended(story.duty("B")) == ("superseded", at("10-10 11:00"))


def test_a_return_granted_again_is_answered_already(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-10 10:00 RETURN_GRANT A
        10-10 11:00 REDISPATCH B
        10-10 12:00 RETURN_GRANT A
        10-10 13:00 REDISPATCH C
    """)
    assert ended(story.duty("B")) == ("superseded", at("10-10 13:00"))


def test_the_return_of_what_was_closed_is_one_that_a_redispatch_answers(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-09 10:00 DISPATCH B
        10-10 10:00 CLOSE A
        10-10 11:00 RETURN_GRANT A
        10-10 12:00 REDISPATCH C
    """)
    assert ended(story.duty("B")) == (None, None)


def test_what_was_open_on_a_day_of_edition_1_runs_on(told):
    story = told(
        """
        10-09 09:00 DISPATCH A
        10-12 15:00 REDISPATCH B
        10-12 16:00 REDISPATCH C
        """,
        readings=[{"valid_from": "2026-10-10", "edition": 2}],
    )
    assert [ended(story.duty(unit))[0] for unit in "ABC"] == [None, "superseded", None]


# -- told-again --------------------------------------------------------------------------------------------------------

TWO_HOTLINES = """
    10-09 08:10 DISPATCH A 110
    10-09 08:30 DISPATCH A due=10-12
"""


def test_two_hotlines_and_one_unit_are_one_duty(told):
    story = told(TWO_HOTLINES + "10-09 09:00 SIGN A\n10-14 10:00 CLOSE A")
    one = story.duty("A")
    assert one.dispatched_at == at("10-09 08:10") and one.facts["due_at"] == at("10-16")
    assert one.facts["signed_at"] == at("10-09 09:00") and story.case_closed_at() == at("10-14 10:00")


def test_under_edition_1_they_are_two(told):
    story = told(TWO_HOTLINES + "10-14 10:00 CLOSE A", readings=None)
    assert [one.facts["closed_at"] for one in story.duties("A")] == [None, at("10-14 10:00")]
    assert story.case_closed_at() is None


def test_what_stands_of_another_hotline_takes_over(told):
    story = told(
        TWO_HOTLINES
        + """
        10-09 09:00 SIGN A
        10-09 11:00 RETURN_GRANT A 110
        10-09 11:30 SIGN A
        10-12 10:00 CLOSE A
        """
    )
    first, second = story.duties("A")
    assert ended(first) == ("returned", at("10-09 11:00")) and first.facts["signed_at"] == at("10-09 09:00")
    assert second.dispatched_at == at("10-09 11:00") and second.opening.case[0] == "12345"
    assert second.facts["signed_at"] == at("10-09 11:30") and ended(second) == ("closed", at("10-12 10:00"))
    called = [story.called_about("A", day) for day in ("10-09 10:00", "10-09 12:00")]
    assert called == [first, second]


def test_no_time_is_gained_where_the_unit_had_done_nothing(told):
    story = told(TWO_HOTLINES + "10-09 11:00 RETURN_GRANT A 110")
    first, second = story.duties("A")
    assert ended(first) == ("returned", at("10-09 11:00")) and second.dispatched_at == at("10-09 08:30")
    assert second.facts["due_at"] == at("10-12")


def test_the_date_on_a_ticket_that_passed_before_it_took_over_does_not_bind(told):
    story = told(TWO_HOTLINES + "10-09 09:00 RETURN_REQUEST A\n10-13 11:00 RETURN_GRANT A 110")
    _, second = story.duties("A")
    assert second.dispatched_at == at("10-13 11:00") and second.facts["due_at"] == at("10-21")


def test_nor_does_one_that_lies_between_its_dispatch_and_the_moment_of_the_takeover(told):
    story = told(TWO_HOTLINES + "10-13 11:00 RETURN_GRANT A 110")
    _, second = story.duties("A")
    assert second.dispatched_at == at("10-09 08:30") and second.facts["due_at"] == at("10-16")


def test_the_round_of_what_took_over_is_that_of_its_dispatch(told):
    story = told(
        TWO_HOTLINES
        + """
        10-09 09:00 DISPATCH B
        10-09 10:00 CLOSE B
        10-09 11:00 REWORK B
        10-09 12:00 SIGN A
        10-09 13:00 RETURN_GRANT A 110
        """
    )
    assert [(one.round, one.dispatched_at) for one in story.duties("A")] == [
        (1, at("10-09 08:10")),
        (1, at("10-09 13:00")),
    ]
    assert [one.round for one in story.duties("B")] == [1, 2]


def test_to_add_a_lead_is_to_dispatch_it(told):
    story = told("""
        10-09 08:10 DISPATCH A 110
        10-09 08:30 ADD_UNIT A lead
        10-09 09:00 SIGN A
        10-09 11:00 RETURN_GRANT A 110
    """)
    assert [one.dispatched_at for one in story.duties("A")] == [at("10-09 08:10"), at("10-09 11:00")]


def test_the_word_of_one_hotline_may_be_taken_back_alone(told):
    story = told(TWO_HOTLINES + "10-09 11:00 RETURN_GRANT A\n10-09 12:00 RETURN_GRANT A 110")
    assert ended(story.duty("A")) == ("returned", at("10-09 12:00"))  # and nothing is left to take over
    story = told(TWO_HOTLINES + "10-09 11:00 RETURN_GRANT A\n10-12 10:00 CLOSE A")
    assert ended(story.duty("A")) == ("closed", at("10-12 10:00"))


def test_a_hotline_that_told_the_unit_nothing_takes_back_what_opened_the_duty(told):
    story = told(TWO_HOTLINES + "10-09 08:40 SIGN A\n10-09 11:00 RETURN_GRANT A 96345")
    first, second = story.duties("A")
    assert ended(first) == ("returned", at("10-09 11:00")) and second.dispatched_at == at("10-09 11:00")


def test_what_a_hotline_told_of_an_earlier_duty_is_nothing_told_of_this_one(told):
    story = told("""
        10-09 08:10 DISPATCH A 110
        10-09 09:00 RETURN_GRANT A 110
        10-09 10:00 DISPATCH A
        10-09 11:00 RETURN_GRANT A 110
    """)
    assert [ended(one)[1] for one in story.duties("A")] == [at("10-09 09:00"), at("10-09 11:00")]


def test_a_return_granted_twice_takes_nothing_back_of_what_took_over(told):
    grants = "10-09 09:00 SIGN A\n10-09 11:00 RETURN_GRANT A 110\n10-09 11:30 RETURN_GRANT A 110"
    first, second = told(TWO_HOTLINES + grants).duties("A")
    assert ended(first) == ("returned", at("10-09 11:00")) and ended(second) == (None, None)


def test_a_redispatch_takes_back_what_its_own_hotline_had_told(told):
    story = told(TWO_HOTLINES + "10-09 08:40 SIGN A\n10-09 11:00 REDISPATCH B 110")
    first, second = story.duties("A")
    assert ended(first) == ("superseded", at("10-09 11:00")) and first.facts["superseded_by"] is story.duty("B")
    assert second.dispatched_at == at("10-09 11:00") and ended(second) == (None, None)
    story = told(TWO_HOTLINES + "10-09 11:00 REDISPATCH B\n10-09 12:00 RETURN_GRANT A 110")
    assert ended(story.duty("A")) == ("returned", at("10-09 12:00"))  # 12345's word was taken back at 11:00


def test_of_several_the_one_told_first_takes_over_and_the_next_after_it(told):
    story = told(
        TWO_HOTLINES
        + """
        10-09 08:40 DISPATCH A 96345
        10-09 08:50 SIGN A
        10-09 11:00 RETURN_GRANT A 110
        10-09 12:00 SIGN A
        10-09 13:00 RETURN_GRANT A
        10-09 14:00 SIGN A
        """
    )
    duties = story.duties("A")
    assert [one.dispatched_at for one in duties] == [at("10-09 08:10"), at("10-09 11:00"), at("10-09 13:00")]
    assert [one.facts["signed_at"] for one in duties] == [at(f"10-09 {done}") for done in ("08:50", "12:00", "14:00")]


def test_what_is_closed_can_be_dispatched_again(told):
    story = told("""
        10-09 08:10 DISPATCH A 110
        10-09 08:20 CLOSE A
        10-09 08:30 DISPATCH A
    """)
    assert [ended(one)[0] for one in story.duties("A")] == ["closed", None]


def test_a_designation_bars_returns_up_to_the_next_dispatch_to_that_unit(told):
    story = told(TWO_HOTLINES + "10-09 09:00 DESIGNATE A\n10-09 11:00 RETURN_GRANT A 110")
    assert ended(story.duty("A")) == (None, None)
    story = told(
        """
        10-09 08:10 DISPATCH A
        10-09 08:20 DESIGNATE A
        10-09 08:30 REDISPATCH A
        10-09 11:00 RETURN_GRANT A
        """
    )
    assert ended(story.duty("A")) == ("returned", at("10-09 11:00"))


def test_a_designation_before_the_dispatch_counts_as_far_as_clocks_differ(told):
    story = "10-09 {designated} DESIGNATE A\n10-09 09:00 DISPATCH A\n10-09 11:00 RETURN_GRANT A"
    assert ended(told(story.format(designated="08:50")).duty("A")) == (None, None)
    assert ended(told(story.format(designated="08:00")).duty("A")) == ("returned", at("10-09 11:00"))


def test_a_support_duty_is_not_told_again_and_nobody_is_never(told):
    story = told("""
        10-09 08:10 ADD_UNIT A
        10-09 08:30 DISPATCH A
        10-09 09:00 DISPATCH -
        10-09 09:30 DISPATCH -
    """)
    assert len(story.duties("A")) == 2 and len(story.duties(None)) == 2


# -- late --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dispatched", "story", "in_time_at", "closed_at", "is_in_time"),
    [
        ("10-09", "10-14 10:00 CLOSE A; 10-18 09:00 REVIEW_BACK A; 10-18 09:00 REWORK A", "10-14 10:00", None, True),
        (
            "10-09",
            "10-14 10:00 CLOSE A; 10-18 09:00 REVIEW_BACK A; 10-20 10:00 CLOSE A",
            "10-14 10:00",
            "10-20 10:00",
            True,
        ),
        (
            "10-09",
            "10-14 10:00 CLOSE A; 10-15 09:00 REVIEW_BACK A; 10-15 17:00 CLOSE A",
            "10-15 17:00",
            "10-15 17:00",
            True,
        ),
        ("10-09", "10-14 10:00 CLOSE A; 10-15 09:00 REVIEW_BACK A; 10-16 10:00 CLOSE A", None, "10-16 10:00", False),
        ("10-12", "10-16 10:00 CLOSE A; 10-20 10:00 CLOSE A", "10-16 10:00", "10-16 10:00", True),
        ("10-09", "10-20 10:00 REDISPATCH B", None, None, False),
        ("10-09", "10-14 10:00 CLOSE A; 10-15 09:00 REVIEW_BACK A; 10-15 10:00 REWORK A", None, None, None),
        ("10-09", "10-10 10:00 URGE A", None, None, None),
    ],
)
def test_late_is_that_for_which_no_close_stood_when_the_limit_passed(
    told, dispatched, story, in_time_at, closed_at, is_in_time
):
    facts = told("\n".join([f"{dispatched} 09:00 DISPATCH A", *story.split("; ")])).duties("A")[0].facts
    assert facts["due_at"] == at("10-16" if dispatched == "10-09" else "10-20")
    assert facts["closed_in_time_at"] == (in_time_at and at(in_time_at))
    assert facts["closed_at"] == (closed_at and at(closed_at)) and facts["is_closed_on_time"] is is_in_time


def test_a_limit_beyond_the_calendar_can_be_kept_by_the_first_one_and_is_else_not_judged(told):
    far = FIVE_DAYS | {"extension": {"amount": 900, "unit": "workday"}}
    opened = "10-09 09:00 DISPATCH A\n10-09 10:00 EXTEND_REQUEST A\n10-09 11:00 EXTEND_GRANT A"
    kept = told(f"{opened}\n10-14 10:00 CLOSE A\n10-18 10:00 REVIEW_BACK A", limits=[far]).duty("A").facts
    assert kept["is_limit_unknown"] and kept["closed_in_time_at"] == at("10-14 10:00") and kept["is_closed_on_time"]
    later = told(f"{opened}\n10-20 10:00 REDISPATCH B", limits=[far])
    assert later.duty("A").facts["is_closed_on_time"] is None
    counted = [later.counts(name, later.duty("A")) for name in ("close_on_time", "overdue", "close_rate")]
    assert counted == ["0 of 0"] * 3


def test_under_edition_1_nothing_is_left_of_a_close_that_was_sent_back(told):
    story = "10-09 09:00 DISPATCH A\n10-14 10:00 CLOSE A\n10-18 09:00 REVIEW_BACK A\n10-20 10:00 CLOSE A"
    facts = told(story, readings=None).duty("A").facts
    assert facts["is_closed_on_time"] is False and facts["closed_in_time_at"] is None
    assert told(story).counts("overdue", told.duty("A")) == "0 of 1"


# -- superseded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "signing"),
    [
        ("10-12 10:00 SIGN A; 10-12 15:00 REDISPATCH B", "1 of 1"),
        ("10-12 15:00 REDISPATCH B", "0 of 1"),
        ("10-12 10:30 REDISPATCH B", "0 of 0"),
        ("10-12 11:30 SIGN A; 10-12 15:00 REDISPATCH B", "0 of 1"),
    ],
)
def test_what_was_replaced_before_its_limit_counts_for_nobody(told, story, signing):
    story = told("\n".join(["10-12 09:00 DISPATCH A", *story.split("; ")]))
    one = story.duty("A")
    assert one.facts["sign_due_at"] == at("10-12 11:00") and one.facts["due_at"] == at("10-20")
    assert [story.counts(name, one) for name in ("close_on_time", "overdue", "close_rate")] == ["0 of 0"] * 3
    assert story.counts("sign_on_time", one) == signing and story.counts("contact_on_time", one) == "no row"
    assert story.counts("urged", one) == "0 of 1" and story.counts("rework_rate", one) == "no row"


def test_what_was_closed_in_time_and_sent_back_is_nobodys_in_the_rate_of_closes(told):
    story = told("10-12 09:00 DISPATCH A\n10-19 09:00 CLOSE A\n10-21 09:00 REVIEW_BACK A\n10-21 10:00 REWORK B")
    counted = [story.counts(name, story.duty("A")) for name in ("close_on_time", "overdue", "close_rate")]
    assert counted == ["1 of 1", "0 of 1", "0 of 0"]


def test_what_was_replaced_after_its_limit_counts_as_not_closed(told):
    story = told("10-12 09:00 DISPATCH A\n10-20 09:00 REDISPATCH B")
    counted = [story.counts(name, story.duty("A")) for name in ("close_on_time", "overdue", "close_rate")]
    assert counted == ["0 of 1", "1 of 1", "0 of 1"]


def test_what_has_no_limit_and_was_replaced_is_never_waited_for(told):
    story = told("10-12 09:00 DISPATCH A\n11-20 09:00 REDISPATCH B", limits=())
    counted = [story.counts(name, story.duty("A")) for name in ("close_on_time", "overdue", "close_rate")]
    assert counted == ["no row", "no row", "0 of 0"]


# -- late-return -------------------------------------------------------------------------------------------------------


def returned(told, asked: str | None, granted: str = "10-21 10:00", more: str = "", **rule) -> Assignment:
    """Dispatched Monday 10-12, due 10-20 00:00."""
    limit = FIVE_DAYS | {"return": rule} if rule else FIVE_DAYS
    asking = f"\n{asked} RETURN_REQUEST A" if asked else ""
    story = f"10-12 09:00 DISPATCH A{asking}\n{more}\n{granted} RETURN_GRANT A".replace("\n\n", "\n")
    return told(story, limits=[limit]).duty("A")


def test_a_return_asked_for_after_the_limit_leaves_it_late(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-17 10:00 RETURN_REQUEST A
        10-18 10:00 RETURN_GRANT A
    """)
    one = story.duty("A")
    assert one.facts["due_at"] == at("10-16") and ended(one) == ("returned", at("10-18 10:00"))
    assert one.facts["is_late_at_return"] is True and one.facts["is_closed_on_time"] is False
    counted = [story.counts(name, one) for name in ("close_on_time", "overdue", "close_rate", "sign_on_time")]
    assert counted == ["0 of 1", "1 of 1", "0 of 0", "0 of 0"]


def test_a_return_asked_for_in_time_is_void_alone_whenever_it_is_granted(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-15 10:00 RETURN_REQUEST A
        10-18 10:00 RETURN_GRANT A
    """)
    one = story.duty("A")
    assert one.facts["is_late_at_return"] is False and one.facts["is_closed_on_time"] is None
    assert story.counts("close_on_time", one) == "0 of 0"


@pytest.mark.parametrize("asked", ["10-15 00:00", "10-15 10:00", "10-20 00:00", None])
def test_within_the_window_or_the_limit_or_asked_by_nobody_it_is_void_alone(told, asked):
    one = returned(told, asked, **WITHIN_TWO_DAYS)
    assert one.facts["is_late_at_return"] is False and ended(one) == ("returned", at("10-21 10:00"))


def test_a_window_may_end_after_the_limit(told):
    longer = {"ask_within": {"amount": 10, "unit": "workday"}}
    assert returned(told, "10-20 10:00", **longer).facts["is_late_at_return"] is False
    assert returned(told, "10-27 10:00", "10-28 10:00", **longer).facts["is_late_at_return"] is True


@pytest.mark.parametrize(
    ("unit", "late", "is_late"),
    [
        ("workday", None, True),
        ("day", None, True),
        ("hour", None, False),
        ("work_minute", None, False),
        ("hour", "stands", True),
        ("day", "lifts", False),
    ],
)
def test_of_limits_in_hours_and_minutes_the_lateness_is_lifted_unless_the_rule_says_otherwise(
    told, unit, late, is_late
):
    limit = FIVE_DAYS | {"unit": unit, "starts": "at_once"} | ({"return": {"late": late}} if late else {})
    story = told("10-12 09:00 DISPATCH A\n10-21 10:00 RETURN_REQUEST A\n10-22 10:00 RETURN_GRANT A", limits=[limit])
    assert story.duty("A").facts["is_late_at_return"] is is_late


def test_a_limit_told_on_the_ticket_alone_is_of_days(told):
    story = told(
        "10-12 09:00 DISPATCH A due=10-14\n10-15 10:00 RETURN_REQUEST A\n10-15 11:00 RETURN_GRANT A", limits=[]
    )
    assert story.duty("A").facts["is_late_at_return"] is True


def test_the_request_is_the_first_since_the_decision_before(told):
    one = returned(told, "10-19 10:00", more="10-20 10:00 RETURN_REQUEST A")
    assert one.facts["is_late_at_return"] is False
    one = returned(told, "10-19 10:00", more="10-19 11:00 RETURN_DENY A\n10-20 10:00 RETURN_REQUEST A")
    assert one.facts["is_late_at_return"] is True


def test_what_was_closed_in_time_or_extended_was_not_late_at_its_return(told):
    closed = returned(told, "10-20 10:00", more="10-19 10:00 CLOSE A")
    assert closed.facts["is_late_at_return"] is False and closed.facts["is_closed_on_time"] is True
    assert closed.facts["closed_at"] == closed.facts["closed_in_time_at"] == at("10-19 10:00")
    extended = returned(told, "10-20 10:00", more="10-19 10:00 EXTEND_REQUEST A\n10-20 11:00 EXTEND_GRANT A due=10-26")
    assert extended.facts["is_late_at_return"] is False


def test_a_return_asked_for_after_another_took_its_place_is_asked_for_all_the_same(told):
    story = told("""
        10-09 09:00 DISPATCH A
        10-17 09:00 REDISPATCH B
        10-17 10:00 RETURN_REQUEST A
        10-18 10:00 RETURN_GRANT A
    """)
    one = story.duty("A")
    assert ended(one) == ("returned", at("10-18 10:00")) and one.facts["is_late_at_return"] is True


def test_under_edition_1_a_late_return_is_void_alone(told):
    story = "10-09 09:00 DISPATCH A\n10-17 10:00 RETURN_REQUEST A\n10-18 10:00 RETURN_GRANT A"
    assert told(story, readings=None).duty("A").facts["is_late_at_return"] is False


# -- grants-alone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readings", [None, EDITION_2])
@pytest.mark.parametrize(("says", "is_in_time"), [({}, False), ({"extension_requests": "not_told"}, True)])
def test_a_grant_without_a_request_that_came_after_the_limit(told, readings, says, is_in_time):
    story = """
        10-09 09:00 DISPATCH A
        10-17 10:00 EXTEND_GRANT A due=10-23
        10-21 10:00 CLOSE A
    """
    facts = told(story, readings=readings, feeds={"12345": says}).duty("A").facts
    assert facts["due_at"] == at("10-16") and facts["is_closed_on_time"] is is_in_time
    assert facts["extended_due_at"] == (at("10-23") if is_in_time else None)


def test_without_a_limit_there_is_nothing_to_extend_for_such_a_feed_either(told):
    story = "10-09 09:00 DISPATCH A\n10-17 10:00 EXTEND_GRANT A due=10-23"
    facts = told(story, limits=(), feeds={"12345": {"extension_requests": "not_told"}}).duty("A").facts
    assert facts["due_in_force_at"] is None


# -- to-the-minute -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "first", "second"),
    [
        ("10-12 09:00 CLOSE A; 10-12 09:00:10 REWORK A", "10-12 09:00", None),
        ("10-11 10:00 CLOSE A; 10-12 09:00 CLOSE A; 10-12 09:00:10 REWORK A", "10-11 10:00", "10-12 09:00:10"),
        ("10-12 09:00 REWORK A; 10-12 09:00:10 CLOSE A", "10-12 09:00", None),
        ("10-12 09:00:05 REWORK A; 10-12 09:00:10 CLOSE A", None, "10-12 09:00:10"),
        ("10-12 09:00 REWORK A; 10-12 09:01 CLOSE A", None, "10-12 09:01"),
    ],
)
def test_a_close_of_the_minute_of_rework(told, story, first, second):
    one, other = told("\n".join(["10-09 09:00 DISPATCH A", *story.split("; ")])).duties("A")
    assert [duty.facts["closed_at"] for duty in (one, other)] == [first and at(first), second and at(second)]


def test_under_edition_1_the_seconds_decide(told):
    story = "10-09 09:00 DISPATCH A\n10-12 09:00 REWORK A\n10-12 09:00:10 CLOSE A"
    one, other = told(story, readings=None).duties("A")
    assert [duty.facts["closed_at"] for duty in (one, other)] == [None, at("10-12 09:00:10")]


def test_a_duty_that_had_ended_waits_for_no_close_and_one_sent_back_by_then_does(told):
    ended_before = "10-09 09:00 DISPATCH A\n10-10 09:00 TERMINATE -\n10-12 09:00 CLOSE A\n10-12 09:00:10 REWORK A"
    first, second = told(ended_before).duties("A")
    assert ended(first)[0] == "terminated" and ended(second) == ("closed", at("10-12 09:00:10"))
    first, second = told("""
        10-09 09:00 DISPATCH A
        10-11 09:00 CLOSE A
        10-12 09:00 CLOSE A
        10-12 09:00:05 REVIEW_BACK A
        10-12 09:00:10 REWORK A
    """).duties("A")
    assert ended(first) == ("superseded", at("10-12 09:00:10")) and ended(second) == (None, None)


@pytest.mark.parametrize("again", ["DISPATCH A", "REDISPATCH A", "ADD_UNIT A lead"])
@pytest.mark.parametrize(
    ("story", "ends"),
    [
        ("10-12 09:00 CLOSE A; 10-12 09:00:10 {again}", ["10-12 09:00"]),
        ("10-11 09:00 CLOSE A; 10-12 09:00 CLOSE A; 10-12 09:00:10 {again}", ["10-11 09:00", "10-12 09:00:10"]),
        ("10-12 09:00 {again}; 10-12 09:00:10 CLOSE A", ["10-12 09:00:10"]),
        ("10-12 09:00:05 CLOSE A; 10-12 09:00:10 {again}", ["10-12 09:00:05", None]),
    ],
)
def test_a_close_of_the_minute_of_a_dispatch_comes_after_it(told, again, story, ends):
    duties = told("\n".join(["10-09 09:00 DISPATCH A", *story.format(again=again).split("; ")])).duties("A")
    assert [one.facts["ended_at"] for one in duties] == [end and at(end) for end in ends]


def test_a_close_of_the_minute_in_which_a_support_unit_becomes_the_lead_is_the_support_units(told):
    story = told("10-09 09:00 ADD_UNIT A\n10-12 09:00 CLOSE A\n10-12 09:00:10 DISPATCH A")
    assert [(one.role, ended(one)[0]) for one in story.duties("A")] == [("support", "closed"), ("lead", None)]


@pytest.mark.parametrize(
    ("story", "first", "second"),
    [
        ("10-12 09:00 REDISPATCH A; 10-12 09:00:20 RETURN_GRANT A", "10-12 09:00", None),
        ("10-12 09:00 RETURN_GRANT A; 10-12 09:00:20 REDISPATCH A", "10-12 09:00", None),
        ("10-11 RETURN_GRANT A; 10-12 09:00 RETURN_GRANT A; 10-12 09:00:20 REDISPATCH A", "10-11", "10-12 09:00:20"),
        ("10-11 RETURN_GRANT A; 10-12 09:00 REDISPATCH A; 10-12 09:00:20 RETURN_GRANT A", "10-11", "10-12 09:00:20"),
    ],
)
def test_a_return_of_the_minute_of_a_dispatch_is_of_the_duty_before_where_that_is_open(told, story, first, second):
    story = story.replace("10-11 ", "10-11 00:00 ")
    one, other = told("\n".join(["10-09 09:00 DISPATCH A", *story.split("; ")])).duties("A")
    assert [duty.facts["voided_at"] for duty in (one, other)] == [at(first), second and at(second)]


@pytest.mark.parametrize(
    ("taker", "says"),
    [("REDISPATCH B", {}), ("REWORK B", {}), ("DISPATCH B", {"another_lead": "replaces"})],
)
def test_a_close_of_the_minute_in_which_another_unit_takes_its_place_comes_before_that(told, taker, says):
    story = told(f"10-09 09:00 DISPATCH A\n10-12 09:00 {taker}\n10-12 09:00:20 CLOSE A", feeds={"12345": says})
    assert ended(story.duty("A")) == ("closed", at("10-12 09:00")) and ended(story.duty("B")) == (None, None)
    story = told(f"10-09 09:00 DISPATCH A\n10-12 09:00:01 {taker}\n10-12 09:00:20 CLOSE A", feeds={"12345": says})
    assert ended(story.duty("A")) == ("superseded", at("10-12 09:00:01"))


def test_where_nothing_takes_its_place_a_close_keeps_its_moment(told):
    story = told("10-09 09:00 DISPATCH A\n10-12 09:00 DISPATCH B\n10-12 09:00:20 CLOSE A")
    assert ended(story.duty("A")) == ("closed", at("10-12 09:00:20"))
    story = told("10-09 09:00 DISPATCH A\n10-12 09:00 REDISPATCH B\n10-12 09:00:10 CLOSE B")
    assert ended(story.duty("A")) == ("superseded", at("10-12 09:00"))
    assert ended(story.duty("B")) == ("closed", at("10-12 09:00:10"))


def test_a_signature_of_the_minute_answers_the_opening(told):
    story = told("10-09 09:00 DISPATCH A\n10-09 10:00 CLOSE A\n10-12 09:00 SIGN A\n10-12 09:00:30 REWORK A")
    assert [one.facts["signed_at"] for one in story.duties("A")] == [None, at("10-12 09:00:30")]


# -- readings-by-day ---------------------------------------------------------------------------------------------------


def test_a_reading_holds_for_the_duties_that_opened_from_its_day_on(told):
    story = """
        {day} 09:00 DISPATCH A
        10-14 10:00 CLOSE A
        10-25 09:00 REVIEW_BACK A
    """
    readings = [{"valid_from": "2020-01-01", "edition": 1}, {"valid_from": "2026-10-10", "edition": 2}]
    before = told(story.format(day="10-09"), readings=readings).duty("A").facts["is_closed_on_time"]
    since = told(story.format(day="10-10"), readings=readings).duty("A").facts["is_closed_on_time"]
    assert (before, since) == (None, True)
