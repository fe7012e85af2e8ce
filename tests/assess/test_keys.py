"""Keys of programs: they ask as the person who made them, for a while, and decide nothing unless they may."""

import hashlib
import secrets
from contextlib import closing

import psycopg
import pytest

from minhu import database
from minhu.database import logins as login_roles
from tests.assess.test_portal import FILE, appeal, as_person, begin, logins, one, pooled, sign_in  # noqa: F401 - fixtures
from tests.scenarios.city import login_of, reached_as

READS = "reads and decides nothing"


@pytest.fixture
def key(pooled, sign_in):  # noqa: F811
    """``key("d1")`` is the token of a key that this person has made himself, and its number."""

    def make(who: str, group: str, *, may_decide: bool = False, lasts: str = "90 days") -> tuple[str, int]:
        token = secrets.token_urlsafe(32)
        with as_person(pooled(group), sign_in(who)) as connection:
            made = one(
                connection,
                "select portal.make_key(%s, %s, %s, %s)",
                [hashlib.sha256(token.encode()).digest(), "报表程序", may_decide, lasts],
            )
        return token, made

    return make


def test_a_key_reads_what_its_person_reads(logins, pooled, key):  # noqa: F811
    token, _ = key("d1", "units")
    for reads in (True, False):
        with as_person(pooled(), token, reads=reads) as connection:
            assert one(connection, "select assess.actor()") == login_of(logins["d1"])
            assert connection.execute("select assess.own_units()").fetchall() == [("D1",)]


def test_a_key_that_reads_decides_nothing_and_records_what_it_takes_along(logins, pooled, key):  # noqa: F811
    token, _ = key("d1", "units")
    with pytest.raises(psycopg.Error, match=READS), as_person(pooled(), token) as connection:
        connection.execute(FILE, appeal(logins["owner"], "D1", 2))
    with as_person(pooled(), token) as connection:
        connection.execute("select audit.log_export('scores', 'x')")
    with database.connect(logins["owner"]) as owner:
        told = "select accessed_by from audit.access_log order by entry_id desc limit 1"
        assert one(owner, told) == login_of(logins["d1"])


def test_every_act_of_every_group_is_refused_to_a_key_that_reads(logins, pooled, key):  # noqa: F811
    """Whatever writes and a group may call asks who acts; a key that only reads is told so, or is refused before."""
    query = (
        "select pg_proc.oid::regprocedure::text, array_length(proargtypes::oid[], 1) from pg_proc"
        " where pronamespace = any('{assess,publish,audit,portal}'::regnamespace[]) and provolatile = 'v'"
        " and prorettype <> 'trigger'::regtype and has_function_privilege(%s, oid, 'execute')"
    )
    with database.connect(logins["owner"]) as owner:
        for who, pool, group in (("d1", "units", "minhu_unit"), ("ping", "evaluators", "minhu_evaluator")):
            token, _ = key(who, pool)
            acts = owner.execute(query, [group]).fetchall()
            assert len(acts) > 1
            for act, count in acts:
                if act.startswith(("audit.log_export", "portal.begin")):
                    continue
                types = act[act.index("(") + 1 : -1].split(",") if count else []
                call = f"select {act[: act.index('(')]}({', '.join(f'null::{one_type}' for one_type in types)})"
                before = written(owner)
                try:
                    with as_person(pooled(pool), token) as connection:
                        connection.execute(call)
                except psycopg.Error:
                    pass
                else:
                    pytest.fail(f"{act} is not refused")
                assert written(owner) == before, act


def written(owner) -> int:
    tables = ("appeal", "exclusion", "violation", "manual_point", "approval", "waiver", "delivery_waiver")
    counts = " + ".join(f"(select count(*) from assess.{table})" for table in tables)
    return one(owner, f"select {counts} + (select count(*) from portal.api_key where revoked_at is not null)")


def test_a_key_that_may_decide_does_so_as_its_person(logins, pooled, key):  # noqa: F811
    token, _ = key("d6", "units", may_decide=True)
    with as_person(pooled(), token) as connection:
        made = one(connection, FILE, appeal(logins["owner"], "D6", 0))
    with database.connect(logins["owner"]) as owner:
        assert one(owner, "select filed_by from assess.appeal where appeal_id = %s", [made]) == login_of(logins["d6"])


def test_a_key_makes_no_key(pooled, key):  # noqa: F811
    token, _ = key("d1", "units", may_decide=True)
    with pytest.raises(psycopg.Error, match="not by a key"), as_person(pooled(), token) as connection:
        connection.execute("select portal.make_key(%s, 'x')", [b"0" * 32])


def test_a_key_ends_when_it_is_revoked_and_by_its_person_alone(pooled, sign_in, key):  # noqa: F811
    token, number = key("d1", "units")
    with pytest.raises(psycopg.Error, match="no key"), as_person(pooled(), sign_in("d6")) as connection:
        connection.execute("select portal.revoke_key(%s)", [number])
    with as_person(pooled(), sign_in("d6")) as connection:
        told = connection.execute("select key_id from portal.own_keys()").fetchall()
        assert (number,) not in told
    with as_person(pooled(), sign_in("d1")) as connection:
        connection.execute("select portal.revoke_key(%s)", [number])
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification), pooled().transaction():
        begin(pooled(), token)


def test_a_key_of_another_group_or_past_its_end_is_none(logins, pooled, key):  # noqa: F811
    token, number = key("d1", "units")
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        begin(pooled("evaluators"), token)
    with database.connect(logins["owner"]) as owner:
        owner.execute("update portal.api_key set expires_at = now() - interval '1 s' where key_id = %s", [number])
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        begin(pooled(), token)


@pytest.mark.parametrize("lasts", ["0", "-1 day", "2 years", None])
def test_a_key_lasts_up_to_a_year(pooled, sign_in, lasts):  # noqa: F811
    with pytest.raises(psycopg.Error, match="up to a year"), as_person(pooled(), sign_in("d1")) as connection:
        connection.execute("select portal.make_key(%s, 'x', false, %s)", [secrets.token_bytes(32), lasts])


def test_a_login_made_anew_has_no_keys(city, logins, pooled, sign_in, key):  # noqa: F811
    with closing(database.connect(city, autocommit=True)) as owner:
        made = reached_as(city, "key_anew", login_roles.add_login(owner, "key_anew", "unit", unit="D1"))
        token = secrets.token_urlsafe(32)
        with as_person(pooled(), sign_in(login_of(made))) as connection:
            connection.execute("select portal.make_key(%s, 'x')", [hashlib.sha256(token.encode()).digest()])
        login_roles.drop_login(owner, "key_anew")
        login_roles.add_login(owner, "key_anew", "unit", unit="D1")
        try:
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
                begin(pooled(), token)
        finally:
            login_roles.drop_login(owner, "key_anew")


def test_whoever_has_signed_in_ends_any_session_of_his(pooled, sign_in):  # noqa: F811
    here, there = sign_in("d1"), sign_in("d1")
    with as_person(pooled(), here) as connection:
        newest = connection.execute("select session_id from portal.own_sessions()").fetchone()[0]
        connection.execute("select portal.end_own_session(%s)", [newest])
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        begin(pooled(), there)
    with pytest.raises(psycopg.Error, match="no session"), as_person(pooled(), sign_in("d6")) as connection:
        connection.execute("select portal.end_own_session(%s)", [newest - 1])
