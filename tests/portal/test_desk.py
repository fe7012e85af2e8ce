"""Who signs in acts as himself: what a function gives him through the portal is what it gives his own login."""

import psycopg
import pytest

from minhu import assess
from minhu.errors import MinhuError, NotSignedIn, Refused
from minhu.export.read import read_report
from minhu.portal.desk import GROUPS, Desk, Session
from minhu.publish import verify
from minhu.publish.diff import list_releases, show_release
from minhu.publish.stored_release import explain_release
from minhu.settings import Settings
from tests.portal.conftest import MONTH
from tests.publish import city as world

ASKED = {
    "releases": lambda asks: list_releases(asks),
    "scores": lambda asks: show_release(asks, MONTH),
    "own points": lambda asks: explain_release(asks, "U1", MONTH),
    "points of another unit": lambda asks: explain_release(asks, "U2", MONTH),
    "report": lambda asks: read_report(asks, MONTH),
    "report of a unit": lambda asks: read_report(asks, MONTH, explained=["U1"]),
    "proof": lambda asks: verify(asks, MONTH, chain_only=True),
    "appeals": lambda asks: world.rows(asks, "select * from assess.appeal_state order by appeal_id"),
    "exclusions": lambda asks: world.rows(asks, "select * from assess.exclusion order by exclusion_id"),
    "facts": lambda asks: world.rows(asks, "select * from mart.fct_timeliness order by assignment_id"),
}


def answer(asks: Settings, asked: str) -> object:
    """What the function gives, or the kind of its refusal."""
    try:
        return ASKED[asked](asks)
    except (MinhuError, psycopg.Error) as error:
        return type(error)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("group", GROUPS)
def test_the_portal_gives_what_the_persons_own_login_gives(house, group, asked):
    session = house.desk.sign_in(*house.credentials(group))
    assert session.group == group
    direct = answer(house.people[group], asked)
    assert answer(house.desk.asks(session), asked) == direct
    assert answer(house.desk.asks(session), asked) == direct, "a connection that comes from the pool again"


def test_what_he_decides_bears_his_name_and_who_reads_decides_nothing(house):
    session = house.desk.sign_in(*house.credentials("unit"))
    name, _ = house.credentials("unit")
    about = {"feed_code": "h1", "case_no": world.case(5, "")["工单编号"], "period": MONTH, "grounds_code": "x"}
    said = {"statement": "非本单位职责", "evidence_ref": "2026-17"}
    with pytest.raises(Refused, match="nobody acts in this transaction"):
        assess.record(house.desk.asks(session), "file_appeal", **about, **said)
    filed = assess.record(house.desk.asks(session, reads=False), "file_appeal", **about, **said)
    found = world.rows(house.city, "select filed_by from assess.appeal where appeal_id = %s", filed)
    assert found == [(name,)]


def test_people_who_share_a_connection_are_told_apart(house):
    first = house.desk.sign_in(*house.credentials("unit"))
    assert house.desk.person(first).units == ("U1",)
    house.desk.sign_out(first)
    with pytest.raises(NotSignedIn):
        house.desk.person(first)
    assert house.desk.person(house.desk.sign_in(*house.credentials("unit"))).units == ("U1",)


def test_a_session_of_another_group_or_of_nobody_is_none(house):
    session = house.desk.sign_in(*house.credentials("unit"))
    for forged in (Session("evaluator", session.token), Session("unit", session.token[::-1])):
        with pytest.raises(NotSignedIn):
            house.desk.person(forged)
    for cookie in ("", "unit", "unit.", "owner.abc", "signin.abc", session.token):
        with pytest.raises(NotSignedIn):
            Session.of_cookie(cookie)
    assert Session.of_cookie(session.cookie) == session
    assert session.token not in repr(house.desk.asks(session))


@pytest.mark.parametrize("name", ["house_shen", "nobody", "minhu_owner", "house_portal_unit", ""])
def test_who_does_not_know_the_password_has_no_session(house, name):
    with pytest.raises(Refused):
        house.desk.sign_in(name, "wrong")


def test_the_portals_own_logins_are_nobody(house):
    with pytest.raises(Refused):
        house.desk.sign_in("house_portal_unit", house.desk._password("unit"))
    with pytest.raises(Refused):
        house.desk.sign_in("house_portal_signin", house.desk._password("signin"))


def test_it_opens_twice(house):
    Desk(house.desk.settings, prefix="house_portal_").open()
    assert house.desk.sign_in(*house.credentials("bi")).group == "bi"
