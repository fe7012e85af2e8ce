"""One human with several logins is one person: what he does under one he does not confirm under another."""

from contextlib import closing

import psycopg
import pytest

from minhu import assess, database
from minhu.database import logins as login_roles
from minhu.errors import Refused
from tests.assess import given
from tests.scenarios.city import login_of, reached_as

ANOTHER = "another person"


@pytest.fixture(scope="module")
def logins(city, people):
    """Beside the people: ping's second login as an evaluator, and one by which she speaks for D1."""
    reached, made = people(city), []
    with closing(database.connect(city, autocommit=True)) as owner:
        for name, group, unit in (("ping_too", "evaluator", None), ("ping_unit", "unit", "D1")):
            login = f"one_{name}"
            reached[name] = reached_as(city, login, login_roles.add_login(owner, login, group, unit=unit))
            made.append(login)
            login_roles.same_person(owner, login, login_of(reached["ping"]))
        yield reached
        for login in made:
            login_roles.drop_login(owner, login)


def actor(who) -> str:
    with database.connect(who) as connection:
        return database.one(connection, "select assess.actor()")[0]


def appeal(logins, who: str, place: int) -> int:
    return assess.record(logins[who], "file_appeal", **given.appeal(logins["owner"], "D1", place))


def test_whatever_she_comes_in_by_she_is_one(logins):
    ping = login_of(logins["ping"])
    assert {actor(logins[who]) for who in ("ping", "ping_too", "ping_unit")} == {ping}
    with database.connect(logins["ping_unit"]) as connection:
        assert connection.execute("select assess.own_units()").fetchall() == [("D1",)], "her groups stay those of each"
    with database.connect(logins["ping"]) as connection:
        assert connection.execute("select assess.own_units()").fetchall() == []


def test_what_she_filed_as_a_unit_she_does_not_decide_as_an_evaluator(logins):
    filed = appeal(logins, "ping_unit", 0)
    how = {"appeal_id": filed, "decision": "granted", "reason_code": "mis_dispatched", "reason": "核实"}
    for who in ("ping", "ping_too"):
        with pytest.raises(Refused, match=ANOTHER):
            assess.record(logins[who], "decide_appeal", **how)
    assess.record(logins["gu"], "decide_appeal", **how)
    confirm = {"subject_kind": "appeal", "subject_id": str(filed), "verdict": "approved", "reason": "复核"}
    with pytest.raises(Refused, match=ANOTHER):
        assess.record(logins["ping_too"], "approve", **confirm)
    assess.record(logins["zhao"], "approve", **confirm)


def test_of_a_unit_that_she_speaks_for_she_decides_nothing_by_any_login(logins):
    told = {"unit_code": "D1", "violation_code": "not_handled", "found_at": "2026-10-20", "reason": "督查"}
    for who in ("ping", "ping_too"):
        with pytest.raises(Refused, match=ANOTHER):
            assess.record(logins[who], "enter_violation", **told)


def test_what_she_entered_she_does_not_confirm_by_another_login(logins):
    told = {"unit_code": "D6", "violation_code": "not_handled", "found_at": "2026-10-20", "reason": "督查"}
    made = assess.record(logins["ping_too"], "enter_violation", **told)
    with database.connect(logins["owner"]) as owner:
        by = database.one(owner, "select entered_by from assess.violation where violation_id = %s", [made])[0]
    assert by == login_of(logins["ping"]), "it is recorded as hers"
    confirm = {"subject_kind": "violation", "subject_id": str(made), "verdict": "approved", "reason": "复核"}
    with pytest.raises(Refused, match=ANOTHER):
        assess.record(logins["ping"], "approve", **confirm)
    assess.record(logins["gu"], "approve", **confirm)


def test_what_was_recorded_before_it_was_said_counts_too(city, logins):
    """gu enters under a second login of his; then it is said to be his: he does not confirm it."""
    with closing(database.connect(city, autocommit=True)) as owner:
        password = login_roles.add_login(owner, "one_gu_too", "evaluator")
        try:
            told = {"unit_code": "D6", "violation_code": "late_handling", "found_at": "2026-10-21", "reason": "督查"}
            made = assess.record(reached_as(city, "one_gu_too", password), "enter_violation", **told)
            login_roles.same_person(owner, "one_gu_too", login_of(logins["gu"]))
            confirm = {"subject_kind": "violation", "subject_id": str(made), "verdict": "approved", "reason": "复核"}
            with pytest.raises(Refused, match=ANOTHER):
                assess.record(logins["gu"], "approve", **confirm)
            login_roles.same_person(owner, "one_gu_too", login_of(logins["gu"]), is_active=False)
            assess.record(logins["gu"], "approve", **confirm)
        finally:
            login_roles.drop_login(owner, "one_gu_too")


def test_a_person_is_one_login_and_no_chain_of_them(city, logins):
    ping, gu = login_of(logins["ping"]), login_of(logins["gu"])
    with closing(database.connect(city, autocommit=True)) as owner:
        for login, person in ((ping, gu), (gu, "one_ping_too"), ("nobody", gu), (gu, "nobody")):
            with pytest.raises(Refused):
                login_roles.same_person(owner, login, person)
        with pytest.raises(psycopg.Error):
            owner.execute("update assess.same_person set person = 'x'")


def test_nobody_says_it_of_himself(logins):
    for who in ("ping", "gu", "d1", "shen", "bao"):
        with database.connect(logins[who]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select assess.set_same_person('one_ping_too', 'one_ping_unit')")
