"""No login stops the house: each sleeps in a transaction after all that it may call, one opens what it can."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from minhu import assess, database
from minhu.database import logins
from minhu.errors import Refused
from minhu.publish import close, publish
from minhu.services import keeper
from minhu.settings import Settings
from tests.publish import city as world
from tests.publish.city import case, login

MAY_CALL = """
select
    proname,
    format('%s(%s)', pg_proc.oid::regproc, (
        select string_agg(format('null::%s', arg::regtype), ', ') from unnest(proargtypes) as arg
    ))
from pg_proc
where pronamespace::regnamespace::text = any('{config,audit,mart,assess,publish,portal}')
    and prokind = 'f' and prorettype <> 'trigger'::regtype
    and has_schema_privilege(session_user, pronamespace, 'usage')
    and has_function_privilege(session_user, oid, 'execute')
order by 2
"""
EXCLUSION = {"reason_code": "beyond_duty", "reason": "非本市职责"}
APPEAL = {"period": "2026-10", "grounds_code": "x", "statement": "非本单位职责", "evidence_ref": "2026-17"}
PATIENCE = "10s"


@pytest.fixture(scope="module")
def people(scratch, tmp_path_factory) -> dict[str, Settings]:
    city = world.make(scratch, tmp_path_factory.mktemp("stopping"))
    people = {"owner": city}
    for name, group, unit in (
        ("s_bi", "bi", None), ("s_ping", "evaluator", None), ("s_gu", "evaluator", None), ("s_wu", "auditor", None),
        ("s_u1", "unit", "U1"), ("s_u2", "unit", "U2"), ("s_in", "signin", None),
    ):  # fmt: skip
        people[name] = login(city, name, group, unit=unit)
    world.judge(people["s_gu"], close(city, "2026-10"))
    publish(city, "2026-10", why=world.UNWITNESSED)
    return people


@contextmanager
def kept(city: Settings) -> Iterator[list[str]]:
    """The keeper at work, and what it has told."""
    told: list[str] = []
    is_over = threading.Event()

    def keep() -> None:
        with database.connect(city.at_work, autocommit=True) as connection:
            while not is_over.wait(keeper.EVERY):
                told.extend(keeper.look(connection))

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield told
    finally:
        is_over.set()
        thread.join()


def asleep(person: Settings, own: str = "") -> psycopg.Connection:
    """A session that has called all it may, and does not end its transaction."""
    connection = database.connect(person)
    connection.read_only = False
    if own:
        connection.execute(own)
    called = 0
    for name, call in connection.execute(MAY_CALL).fetchall():
        try:
            with connection.transaction():
                connection.execute(f"select {call}")
            called += 1
        except psycopg.Error as error:
            assert error.sqlstate, (name, error)  # refused: nothing was given
    assert called, person
    return connection


def patient(person: Settings, *statements: str) -> None:
    """Does it, and waits for nobody longer than `PATIENCE`."""
    with database.connect(person) as connection:
        connection.read_only = False
        connection.execute(f"set lock_timeout = '{PATIENCE}'")
        for statement in statements:
            connection.execute(statement)


def act(name: str, number: int, **given: str) -> str:
    """The call of an act about a case of the city."""
    given["case_id"] = assess.case_id("h1", case(number, "")["工单编号"])
    return f"select assess.{name}({', '.join(f'{key} => {value!r}' for key, value in given.items())})"


@pytest.mark.long
def test_everybody_works_while_each_login_sleeps_in_a_transaction(people):
    owner = people["owner"]
    filed = act("file_appeal", 5, **APPEAL, unit_code="U1")
    asked = "select audit.log_export('睡着之前')"
    with ExitStack() as stack, kept(owner) as told:
        sleeping = [
            asleep(people["s_bi"], f"{asked}; select count(*) from mart.fct_case"),
            asleep(people["s_ping"], f"{asked}; {act('exclude', 1, **EXCLUSION)}"),
            asleep(people["s_wu"], f"{asked}; select count(*) from audit.batch"),
            asleep(people["s_u1"], f"{asked}; {filed}"),
            asleep(people["s_in"]),
        ]
        for connection in sleeping:
            stack.callback(connection.close)
        patient(people["s_gu"], act("exclude", 2, **EXCLUSION))
        patient(people["s_u2"], act("file_appeal", 8, **APPEAL, unit_code="U2"))
        patient(people["s_u2"], "select audit.log_export('他人')")
        for lock in ("minhu:assess", "minhu:publish", "minhu:build", "minhu:load:h1"):
            patient(owner, f"select audit.hold('{lock}')")
        patient(owner.at_work, "insert into audit.batch_threshold select * from audit.batch_threshold where false")
        patient(
            owner, "alter table mart.fct_case add column aside integer", "alter table mart.fct_case drop column aside"
        )
        world.rows(people["s_bi"], "select count(*) from mart.fct_case")
    ended = world.rows(owner, "select login, why from audit.session_ended")
    assert {"s_ping", "s_u1"} <= {login for login, _ in ended}, ended
    assert {why for _, why in ended} <= {"holds_locks", "blocks"}
    assert {login for login, _ in ended} <= {"s_bi", "s_ping", "s_wu", "s_u1", "s_in"}, "nobody else was ended"
    assert len(told) == len(ended) and any("s_ping" in line for line in told)


def test_a_reader_who_is_in_nobodys_way_is_left_alone(people):
    with kept(people["owner"]) as told, database.connect(people["s_bi"]) as reader:
        reader.execute("select count(*) from mart.fct_case")
        threading.Event().wait(7)
        assert reader.execute("select count(*) from publish.release").fetchone() == (1,)
    assert told == []


def test_what_is_running_and_waited_for_is_ended_too(people):
    """`pg_sleep` after an act looks busy."""
    sleeper = database.connect(people["s_ping"])
    sleeper.execute(act("exclude", 3, **EXCLUSION))

    def sleep() -> None:
        with pytest.raises(psycopg.Error):
            sleeper.execute("select pg_sleep(60)")

    busy = threading.Thread(target=sleep)
    busy.start()
    with kept(people["owner"]) as told:
        patient(people["s_gu"], act("exclude", 4, **EXCLUSION))
    busy.join(5)
    assert not busy.is_alive() and ["blocks" in line for line in told] == [True]


@pytest.mark.long
def test_a_statement_that_is_nothing_but_a_publication_may_take_its_time(people):
    """As `database.act` says it, no word of it could be a sleep; a large release takes longer than the patience."""
    told_to_publisher = []
    publisher = database.connect(people["s_ping"], autocommit=True)

    def publish_none() -> None:
        with pytest.raises(Refused) as refused:
            database.act(publisher, "publish.publish", {"closing_id": 999})
        told_to_publisher.append(str(refused.value))

    publish_none()  # the function is read: from now on it locks what it comes to, one after the other

    with kept(people["owner"]) as told, database.connect(people["owner"]) as holding:
        holding.execute("lock table publish.closing in access exclusive mode")
        publishing = threading.Thread(target=publish_none)
        publishing.start()
        with database.connect(people["owner"]) as waiting, pytest.raises(psycopg.errors.LockNotAvailable):
            threading.Event().wait(1)
            waiting.execute("set lock_timeout = '8s'")
            database.lock(waiting, "minhu:publish")
        holding.rollback()
    publishing.join(20)
    publisher.close()
    assert told == [] and told_to_publisher == ["there is no closing 999"] * 2


def test_no_login_has_an_advisory_lock_that_anybody_waits_for(people):
    with database.connect(people["s_bi"]) as reader:
        for name in ("build", "publish", "assess", "access", "caller-key", "load:h1", "migrate", "config", "gate"):
            reader.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"minhu:{name}"])
        database.migrate(people["owner"])
        patient(people["s_gu"], act("exclude", 6, **EXCLUSION))
        patient(people["owner"], *(f"select audit.hold('minhu:{name}')" for name in ("build", "publish", "caller-key")))


@pytest.mark.parametrize("name", ["s_bi", "s_ping", "s_wu", "s_u1", "s_in"])
@pytest.mark.parametrize(
    "grab",
    [
        "select from audit.house_lock for update",
        "select audit.hold('minhu:build')",
        "lock table audit.batch in exclusive mode",
        "lock table mart.fct_case in share mode",
        "select from audit.access_head for update",
        "select from mart.fct_case for update",
        "select from config.entry for share",
        "select audit.seal_access()",
        "select * from audit.end_sessions_in_the_way()",
    ],
)
def test_what_would_hold_the_house_up_is_refused(people, name, grab):
    with database.connect(people[name]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.read_only = False
        connection.execute(grab)


def test_one_login_opens_180_sessions_and_the_others_still_enter(people):
    with ExitStack() as stack:
        opened = 0
        for _ in range(180):
            try:
                stack.enter_context(psycopg.connect(people["s_bi"].database_url))
                opened += 1
            except psycopg.OperationalError as error:
                assert "too many connections for role" in str(error)
        assert opened == logins.CONNECTIONS["bi"]
        for name in ("s_gu", "s_wu", "s_u2", "s_in", "owner"):
            with psycopg.connect(people[name].database_url) as other:
                other.execute("select 1")


def test_the_newest_sessions_of_a_group_that_has_too_many_are_ended(people):
    owner = people["owner"]
    others = [login(owner, f"s_bi{number}", "bi") for number in range(3)]
    with ExitStack() as stack:
        stack.enter_context(psycopg.connect(people["s_bi"].database_url)).execute("select 1")
        for other in others:
            for _ in range(logins.CONNECTIONS["bi"]):
                stack.callback(psycopg.connect(other.database_url).close)
        with kept(owner):
            threading.Event().wait(3)
        still = "select usename, count(*) from pg_stat_activity where usename like 's\\_bi%%' group by 1"
        found = dict(world.rows(owner, still))
        assert sum(found.values()) == 40 and found["s_bi"] == 1, found
    assert ("too_many",) in world.rows(
        owner, "select distinct why from audit.session_ended where login like 's\\_bi%%'"
    )


def test_entries_of_the_log_that_another_keeps_open_are_sealed_later_and_counted_meanwhile(people):
    owner = people["owner"]
    with database.connect(owner) as holding, database.connect(people["s_gu"]) as writer:
        holding.execute("select from audit.access_head for update")
        writer.execute("select audit.log_export('没人等')")
        writer.commit()  # waits for nobody
        assert world.rows(owner, "select about from audit.access_log where hash is null") == [("没人等",)]
    with database.connect(owner) as connection:
        assert connection.execute("select audit.seal_access()").fetchone() == (1,)
        connection.commit()
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("update audit.access_log set why = 'x' where about = '没人等'")
