"""Who asks through the portal: the person whose session the database has verified for this transaction, or nobody."""

import hashlib
import secrets
from contextlib import closing, contextmanager

import psycopg
import pytest

from minhu import database
from minhu.database import logins as login_roles
from minhu.errors import Refused
from tests.assess import given
from tests.scenarios.city import login_of, reached_as

NOBODY = "nobody acts in this transaction"
BEGUN = "has begun for somebody already"
ENDED = "unknown here, has ended or has expired"
FILE = (
    "select assess.file_appeal('2026-10', %(unit_code)s, %(case_id)s, 'mis_dispatched', '非本单位', '函',"
    " %(assignment_id)s, indicator_codes => array[%(about)s])"
)


@pytest.fixture(scope="module")
def logins(city, people):
    """Two people of units and two evaluators, the portal's connections for either group, and who opens sessions."""
    with closing(database.connect(city, autocommit=True)) as owner:
        reached, made = people(city), []
        for name, group in (("units", "unit"), ("evaluators", "evaluator"), ("signin", "signin")):
            login = f"portal_{name}"
            password = login_roles.add_login(owner, login, group, is_portal=group != "signin")
            reached[name] = reached_as(city, login, password)
            made.append(login)
        yield reached
        for login in made:
            login_roles.drop_login(owner, login)


@pytest.fixture
def sign_in(logins):
    """``sign_in("d1")`` is the token of a session that was opened for that person."""

    def opened(who: str, lasts: str = "1 hour") -> str:
        token = secrets.token_urlsafe(32)
        with database.connect(logins["signin"]) as signin:
            signin.execute(
                "select portal.open_session(%s, %s, %s)",
                [login_of(logins[who]) if who in logins else who, hashed(token), lasts],
            )
        return token

    return opened


def appeal(city, unit="D1", place=0, about="close_on_time"):
    return given.appeal(city, unit, place) | {"about": about}


def hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@pytest.fixture
def pooled(logins):
    """``pooled("units")`` is a connection of the portal that everybody of that group shares."""
    opened = []

    def connect(group: str = "units") -> psycopg.Connection:
        opened.append(database.connect(logins[group], autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@contextmanager
def as_person(connection, token, *, reads=False):
    with connection.transaction():
        if reads:
            connection.execute("set transaction read only")
        begin(connection, token)
        yield connection


def begin(connection, token):
    return one(connection, "select portal.begin(%s)", [token])


def one(connection, text, given=None):
    return connection.execute(text, given).fetchone()[0]


def units_of(connection):
    return [unit for (unit,) in connection.execute("select assess.own_units()")]


@pytest.mark.parametrize("reads", [True, False])
def test_a_verified_person_reads_what_his_login_reads(logins, sign_in, pooled, reads):
    for who, unit in (("d1", "D1"), ("d6", "D6")):
        with database.connect(logins[who]) as direct:
            direct.execute(FILE, appeal(logins["owner"], unit, 1, "close_on_time" if reads else "sign_on_time"))
            direct.commit()
            said = "select array_agg(a order by a.appeal_id) from assess.appeal as a"
            own = one(direct, said)
        with as_person(pooled(), sign_in(who), reads=reads) as connection:
            assert one(connection, "select assess.actor()") == login_of(logins[who])
            assert units_of(connection) == [unit]
            assert own and one(connection, said) == own


def test_what_a_person_decides_bears_his_name(logins, sign_in, pooled):
    token, asked = sign_in("d1"), appeal(logins["owner"], "D1", 2)
    with as_person(pooled(), token) as connection:
        filed = one(connection, FILE, asked)
        refused = pytest.raises(psycopg.errors.RaiseException, match="does not speak for the unit 'D6'")
        with refused, connection.transaction():
            connection.execute(FILE, appeal(logins["owner"], "D6"))
    shared = pooled("evaluators")
    decide = "select assess.decide_appeal(%s, 'denied', 'beyond_duty', '不属实')"
    with as_person(shared, sign_in("gu")) as connection:
        connection.execute(decide, [filed])
    with database.connect(logins["owner"]) as owner:
        told = owner.execute(
            "select filed_by, decided_by from assess.appeal_state where appeal_id = %s", [filed]
        ).fetchone()
    assert told == (login_of(logins["d1"]), login_of(logins["gu"]))
    with as_person(shared, sign_in("ping")) as connection:
        filed = one(connection, FILE, appeal(logins["owner"], "D7"))
        with pytest.raises(psycopg.errors.RaiseException, match="another person than who filed it"):
            connection.execute(decide, [filed])


def test_without_a_session_the_portal_is_nobody(logins, pooled):
    shared = pooled()
    assert one(shared, "select assess.actor()") is None and units_of(shared) == []
    for seen in ("assess.appeal", "assess.appeal_decision", "publish.evidence"):
        assert one(shared, f"select count(*) from {seen}") == 0
    with pytest.raises(psycopg.errors.RaiseException, match=NOBODY):
        shared.execute(FILE, appeal(logins["owner"]))
    for statement in ("select * from portal.session", "select * from portal.secret", "select * from portal.acting"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shared.execute(statement)
    for call in ("sealed('x')", "reader()", "actor()", "open_session('x', '')", "end_session('')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shared.execute(f"select portal.{call}")


@pytest.mark.parametrize("reads", [True, False])
def test_no_setting_and_no_role_makes_another_of_him(logins, sign_in, pooled, reads):
    other = login_of(logins["d6"])
    with as_person(pooled(), sign_in("d1"), reads=reads) as connection:
        real = one(connection, "select current_setting('portal.person')")
        for attack in (
            "reset role",
            "set role minhu_unit",
            "reset session authorization",
            "set session authorization default",
            "discard plans",
        ):
            connection.execute(attack)
            assert units_of(connection) == ["D1"], attack
        connection.execute("reset all")  # nobody, at worst
        assert units_of(connection) == ([] if reads else ["D1"])
        one(connection, "select set_config('portal.person', %s, true)", [real])
        for attack in (
            "set local role minhu_portal",
            "set role minhu_evaluator",
            f"set role {other}",
            f"set session authorization {other}",
            "discard all",
        ):
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute(attack)
                units_of(connection)
            assert units_of(connection) == ["D1"], attack
        for said in (other, f"{other} ", f"{other} {'0' * 64}", f"{other} {real.split()[1]}", f"{other} {real}"):
            for only_here in (False, True):
                one(connection, "select set_config('portal.person', %s, %s)", [said, only_here])
                assert units_of(connection) == ([] if reads else ["D1"])
        one(connection, "select set_config('portal.person', %s, true)", [real])
        assert units_of(connection) == ["D1"]


def test_who_may_write_is_who_began_whatever_was_sealed_before(logins, sign_in, pooled):
    shared = pooled()
    with shared.transaction():
        with shared.transaction(force_rollback=True):
            begin(shared, sign_in("d6"))
            sealed = one(shared, "select current_setting('portal.person')")
        begin(shared, sign_in("d1"))
        one(shared, "select set_config('portal.person', %s, true)", [sealed])
        assert units_of(shared) == ["D1"]
        with pytest.raises(psycopg.errors.RaiseException, match="does not speak for the unit 'D6'"):
            shared.execute(FILE, appeal(logins["owner"], "D6"))


def test_a_setting_is_worth_nothing_in_another_transaction(sign_in, pooled):
    shared, other, token = pooled(), pooled(), sign_in("d1")
    with as_person(shared, token, reads=True) as connection:
        real = one(connection, "select current_setting('portal.person')")
        with other.transaction():
            one(other, "select set_config('portal.person', %s, true)", [real])
            assert units_of(other) == []
        shared.execute("select set_config('portal.person', %s, false)", [real])  # left behind for whoever comes next
        assert units_of(shared) == ["D1"]
    assert one(shared, "select current_setting('portal.person')") == real
    assert units_of(shared) == [] and one(shared, "select assess.actor()") is None
    with shared.transaction(), pytest.raises(psycopg.errors.RaiseException, match=NOBODY):
        shared.execute("select assess.withdraw_appeal(1, 'x')")
    with as_person(shared, sign_in("d6"), reads=True):
        assert units_of(shared) == ["D6"]


def test_a_transaction_is_one_persons(logins, sign_in, pooled):
    shared, tokens = pooled(), [sign_in("d1"), sign_in("d6")]
    for reads in (True, False):
        for again in tokens:
            refused = pytest.raises(psycopg.errors.RaiseException, match=BEGUN)
            with refused, as_person(shared, tokens[0], reads=reads):
                begin(shared, again)
    with shared.transaction():
        with shared.transaction(force_rollback=True):
            begin(shared, tokens[0])
            gone = one(shared, FILE, appeal(logins["owner"], "D1", 4))
        assert begin(shared, tokens[1]) == login_of(logins["d6"])
        assert units_of(shared) == ["D6"]
        assert one(shared, "select assess.acting()") == login_of(logins["d6"])
    with database.connect(logins["owner"]) as owner:
        assert one(owner, "select count(*) from assess.appeal where appeal_id = %s", [gone]) == 0


def test_people_who_come_one_after_the_other_leave_nothing_behind(logins, sign_in, pooled):
    shared, seen = pooled(), []
    tokens = {"D1": sign_in("d1"), "D6": sign_in("d6")}
    for no in range(12):
        unit = "D1" if no % 3 else "D6"
        with as_person(shared, tokens[unit], reads=no % 2 == 0):
            seen.append((units_of(shared), [unit]))
            if no == 5:
                with pytest.raises(psycopg.errors.QueryCanceled), shared.transaction():
                    shared.execute("set local statement_timeout = '50ms'; select pg_sleep(5)")
                seen.append((units_of(shared), [unit]))
        assert units_of(shared) == []
    with pytest.raises(psycopg.errors.QueryCanceled), as_person(shared, tokens["D1"]):
        shared.execute("set local statement_timeout = '50ms'; select pg_sleep(5)")
    assert units_of(shared) == []
    with pytest.raises(psycopg.errors.RaiseException, match=NOBODY):
        shared.execute(FILE, appeal(logins["owner"]))
    assert all(found == expected for found, expected in seen) and len(seen) == 13


def test_two_people_at_once_do_not_mix(logins, sign_in, pooled):
    with as_person(pooled(), sign_in("d1")) as first, as_person(pooled(), sign_in("d6")) as second:
        for _ in range(3):
            assert (units_of(first), units_of(second)) == (["D1"], ["D6"])


def test_a_token_that_does_not_stand_opens_nothing(city, logins, sign_in, pooled):
    shared, token = pooled(), sign_in("d1")

    def refused(said, on=shared):
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification, match=ENDED), on.transaction():
            begin(on, said)
        assert units_of(on) == []

    for said in ("", None, token[:-1], token.swapcase(), hashed(token).hex(), login_of(logins["d1"])):
        refused(said)
    refused(token, on=pooled("evaluators"))  # a unit's session is none of an evaluator
    refused(sign_in("gu"))
    short = sign_in("d1", "100 milliseconds")
    shared.execute("select pg_sleep(0.2)")
    refused(short)
    with as_person(shared, token, reads=True):
        assert units_of(shared) == ["D1"]
    with database.connect(logins["signin"], autocommit=True) as signin:
        assert one(signin, "select portal.end_session(%s)", [hashed(token)]) is True
        assert one(signin, "select portal.end_session(%s)", [hashed(token)]) is False
    refused(token)
    with database.connect(city, autocommit=True) as owner:
        several = [sign_in("d6"), sign_in("d6")]
        assert one(owner, "select portal.end_sessions_of(%s)", [login_of(logins["d6"])]) >= 2
        for said in several:
            refused(said)
        login_roles.add_login(owner, "once_more", "unit", unit="D1")
        old = sign_in("once_more")
        login_roles.drop_login(owner, "once_more")
        refused(old)
        login_roles.add_login(owner, "once_more", "unit", unit="D6")
        refused(old)
        login_roles.drop_login(owner, "once_more")


def test_who_logs_in_himself_begins_nothing(logins, sign_in):
    token = sign_in("d1")
    for who in ("d6", "ping", "signin"):
        with database.connect(logins[who]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            begin(connection, token)
    with database.connect(logins["owner"]) as owner:
        for claim in ("select 1", f"set session authorization {login_of(logins['units'])}"):
            owner.execute(claim)
            with pytest.raises(psycopg.errors.RaiseException, match="needs no session"), owner.transaction():
                begin(owner, token)
        assert one(owner, "select assess.actor()") is None


def test_who_opens_sessions_does_nothing_else(city, logins):
    """Every relation and every function of the warehouse, tried as that login."""
    with database.connect(city) as owner:
        may = owner.execute(
            "select 'reads ' || oid::regclass from pg_class where relkind in ('r', 'v', 'm', 'p', 'S')"
            " and relnamespace::regnamespace::text in"
            " ('mart', 'audit', 'config', 'staging', 'restricted', 'build', 'assess', 'publish', 'portal')"
            " and (has_table_privilege('portal_signin', oid, 'select') and"
            "      has_schema_privilege('portal_signin', relnamespace, 'usage'))"
            " union all select 'calls ' || pronamespace::regnamespace || '.' || proname from pg_proc"
            " where pronamespace::regnamespace::text !~ '^(pg_catalog|information_schema|public)$'"
            " and has_function_privilege('portal_signin', oid, 'execute')"
            " and has_schema_privilege('portal_signin', pronamespace, 'usage')"
        ).fetchall()
    acts = ("open_session", "end_session", "waits", "note_failure", "forget_failures")
    acts += ("enrol_factor", "factor_of", "use_step")
    assert {what for (what,) in may} == {f"calls portal.{act}" for act in acts}
    with database.connect(logins["signin"], autocommit=True) as signin:
        for login, token, lasts, told in (
            ("nobody_here", hashed("x"), "1 hour", "no person with the login 'nobody_here'"),
            (None, hashed("x"), "1 hour", "no person with the login"),
            (login_of(city), hashed("x"), "1 hour", "no person with the login"),  # the owner is no person of the portal
            ("portal_units", hashed("x"), "1 hour", "no person with the login"),
            ("portal_signin", hashed("x"), "1 hour", "no person with the login"),
            (login_of(logins["d1"]), b"token itself", "1 hour", "32 bytes"),
            (login_of(logins["d1"]), None, "1 hour", "32 bytes"),
            (login_of(logins["d1"]), hashed("x"), "25 hours", "up to 24 hours"),
            (login_of(logins["d1"]), hashed("x"), "-1 hours", "up to 24 hours"),
        ):
            with pytest.raises(psycopg.errors.RaiseException, match=told):
                signin.execute("select portal.open_session(%s, %s, %s)", [login, token, lasts])


def test_logins_of_the_portal_are_made_as_said(city):
    with database.connect(city) as owner:
        for group, how, told in (
            ("signin", {"is_portal": True}, "no pages for signin"),
            ("unit", {"is_portal": True, "unit": "D1"}, "speaks for no unit"),
            ("signin", {"unit": "D1"}, "speaks for one unit"),
        ):
            with pytest.raises(Refused, match=told):
                login_roles.add_login(owner, "never", group, **how)


def test_the_token_is_stored_nowhere(city, sign_in, pooled):
    token = sign_in("d1")
    with as_person(pooled(), token):
        pass
    with database.connect(city) as owner:
        for table in ("session", "acting"):
            kept = one(owner, f"select coalesce(string_agg(t::text, ' '), '') from portal.{table} as t")
            assert kept and token not in kept and token.encode().hex() not in kept
