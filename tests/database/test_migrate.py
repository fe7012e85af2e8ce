"""The migrations: applied once and in order, never edited; a database of the chain before the baseline is adopted whole
or refused with the first difference. Every database of these tests but the fresh one is made by that chain.
"""

import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from minhu import database
from minhu.database import adopt, embedded, logins, roles
from minhu.errors import Refused

BASELINE = sorted(path.name for path in database.MIGRATIONS.glob("1*.sql"))
ADDED = sorted(path.name for path in database.MIGRATIONS.glob("[2-9]*.sql"))
SQUASHED = adopt.read_hashes(database.MIGRATIONS / adopt.SQUASHED)
KEPT = Path(__file__).with_name("migrations.sha256")


@pytest.fixture
def old(scratch, before):
    return scratch(template=before)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The baseline alone, without what was added since."""
    folder = tmp_path_factory.mktemp("baseline")
    for name in (*BASELINE, adopt.SQUASHED):
        shutil.copy(database.MIGRATIONS / name, folder)
    return folder


@pytest.fixture(scope="module")
def fresh(warehouse):
    """What stands in a database that the baseline made, and what was added."""
    return stands(warehouse)


def stands(settings):
    with database.connect(settings) as connection:
        return adopt.catalogue(connection)


def known(settings):
    with database.connect(settings) as connection:
        return database.applied(connection)


def run(settings, *statements):
    with database.connect(settings) as connection:
        for statement in statements:
            connection.execute(statement)


# -- what is applied ---------------------------------------------------------------------------------------------------


def test_a_migration_is_never_edited():
    """A new one is numbered from 200 on, and adds its line to the list: sha256sum sql/*.sql."""
    files = sorted(database.MIGRATIONS.glob("*.sql"))
    assert adopt.read_hashes(KEPT) == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert len(BASELINE) == 21 and [path.name for path in files if path.name < "200"] == BASELINE
    assert not {path.name for path in files} & set(SQUASHED)


def test_what_is_applied_and_then_edited_is_refused(warehouse, tmp_path):
    assert database.migrate(warehouse) == []
    changed = shutil.copytree(database.MIGRATIONS, tmp_path / "sql")
    with (changed / BASELINE[-1]).open("a", encoding="utf-8") as file:
        file.write("-- one more line\n")
    with pytest.raises(Refused, match=rf"sql/{BASELINE[-1]} was changed after it was applied"):
        database.migrate(warehouse, changed)


def test_what_is_added_is_applied_once_after_adopting_too(scratch, old, tmp_path):
    folder = shutil.copytree(database.MIGRATIONS, tmp_path / "sql")
    (folder / "999_more.sql").write_text("create table audit.more (id int);", encoding="utf-8")
    new = scratch()
    for settings, added in ((new, []), (old, ADDED)):
        assert (database.migrate(settings, folder), database.migrate(settings, folder)) == (
            [*added, "999_more.sql"],
            [],
        )
    assert stands(new) == stands(old)


# -- what the baseline makes -------------------------------------------------------------------------------------------


def test_nothing_is_defined_twice_or_altered_into_shape():
    text = "\n".join((database.MIGRATIONS / name).read_text(encoding="utf-8") for name in BASELINE)
    made = re.findall(r"^create (?:unlogged )?(?:table|view|function|aggregate) ([a-z_.]+)", text, re.MULTILINE)
    assert len(made) > 130 and sorted(made) == sorted(set(made))
    assert not re.search(r"\bor replace\b|\b(add|drop|alter) (column|constraint)\b|^drop ", text, re.MULTILINE)
    shouted = re.sub(r"--.*|'[^']*'|\"[^\"]*\"", "", text)
    assert re.findall(r"\w*[A-Z]\w*", shouted) == []


def test_the_baseline_makes_what_the_old_chain_made(home, old_chain, baseline, scratch):
    """As PostgreSQL's own program dumps it: definitions, columns in their order, grants, comments, roles, rows."""
    own = replace(scratch(), home=home / "dumps", database_url=None)
    server = embedded.start(own)
    try:
        told = [_dumped(server, own, folder) for folder in (old_chain, baseline)]
    finally:
        embedded.stop(own)
    assert len(told[0]) > 600 and told[0] == told[1]


GRANTS = re.compile(r"(?m)(^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .*\n?)+")


def _dumped(server, own, folder):
    """All of a database that the migrations of ``folder`` made, alone in its server; then it is gone again."""
    settings = replace(own, database_url=server.url("dumped", roles.SUPERUSER))

    def dump(program, *options):
        command = [server.bin_dir / program, "--dbname", settings.database_url, *options]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # a dump has a key of its own, and tells grants and what depends on nothing in the order of their making
        kept = re.sub(r"(?m)^\\(un)?restrict .*$", "", text)
        return sorted(
            GRANTS.sub(lambda m: "".join(sorted(m[0].splitlines(True))), part) for part in kept.split("\n--\n")
        )

    with psycopg.connect(server.url("postgres", roles.SUPERUSER), autocommit=True) as connection:
        connection.execute("create database dumped")
        database.migrate(settings, folder)
        with database.connect(settings) as inside:
            inside.execute("drop table public.minhu_migration")
            inside.execute("set local session_replication_role = replica")  # past the trigger that keeps it
            inside.execute("update audit.access_head set since = 'epoch'")
        found = dump("pg_dump") + dump("pg_dumpall", "--roles-only", "--no-role-passwords")
        connection.execute("drop database dumped")
        connection.execute(f"drop role {', '.join(adopt.ROLES)}")
    return found


# -- adopting ----------------------------------------------------------------------------------------------------------


def test_a_database_of_the_old_chain_is_adopted(old, fresh):
    assert known(old) == SQUASHED
    with database.connect(old) as connection:
        assert database.outstanding(connection) == ADDED, "the baseline is recorded, not applied"
    assert (database.migrate(old), database.migrate(old)) == (ADDED, [])
    assert known(old) == SQUASHED | adopt.read_hashes(KEPT)
    assert stands(old) == fresh


def test_what_builds_logins_and_the_city_made_is_no_difference(old, fresh):
    run(
        old,
        "create view mart.fct_indicator_case as select case_id from mart.fct_case",
        "comment on view mart.fct_indicator_case is 'definition 0123456789abcdef'",
        "create unlogged table build.fct_case (like mart.fct_case)",
        "insert into build.touched_case values ('c', 'h1', '1', true)",
        "comment on column mart.fct_case.case_id is '工单 — The case.'",
        "comment on column mart.score_run.as_of is 'Said by a build.'",
        "insert into config.version (city, sha256) values ('testcity', 'x')",
        "select audit.log_export('2026-10')",
        "create schema of_the_city",
        "create view of_the_city.cases as select * from mart.fct_case",
    )
    with database.connect(old, autocommit=True) as owner:
        owner.execute("create role adopted_reader login in role minhu_bi")
        assert database.migrate(old) == ADDED
        config = owner.execute("select rolconfig from pg_roles where rolname = 'adopted_reader'").fetchone()
        assert config == (["TimeZone=Asia/Shanghai"],)
        logins.drop_login(owner, "adopted_reader")
    assert stands(old) == fresh


def test_an_owner_who_is_no_superuser_adopts(server, before, scratch, old_chain, fresh):
    name = "plain_owner"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"drop role if exists {name}")
        connection.execute(f"create role {name} login createrole password 'x'")
        connection.execute(f"create database {name} template template0 owner {name}")
        url = sqlalchemy.make_url(server).set(database=name, username=name, password="x")
        own = replace(scratch(), database_url=url.render_as_string(hide_password=False))
        try:
            database.migrate(own, old_chain)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="grant minhu_work to plain_owner"):
                database.migrate(own)  # it is another's on this server
            connection.execute(f"grant minhu_work to {name} with admin true, inherit true, set true")
            assert database.migrate(own) == ADDED
            assert known(own) == SQUASHED | adopt.read_hashes(KEPT)
            assert stands(own) == fresh
        finally:
            connection.execute(f"drop database {name} with (force)")
            connection.execute(f"drop role {name}")


LEDGER = "public.minhu_migration"
CHANGED = "create or replace function publish.hash_before_the_first() returns text language sql immutable"
DIFFERENCES = {
    f"update {LEDGER} set sha256 = 'x' where name = '046_measures.sql'": "sql/046_measures.sql was applied in another",
    f"delete from {LEDGER} where name > '076_finding.sql'": "sql/077_escalated_gap.sql was never applied",
    f"insert into {LEDGER} values ('084_of_a_fork.sql', 'x')": "sql/084_of_a_fork.sql is no migration that this code",
    "drop schema restricted cascade": "the schema restricted is missing",
    "alter table mart.fct_case drop column repeat_basis": "the column mart.fct_case.repeat_basis is missing",
    "alter table mart.fct_case add column x text": "the column mart.fct_case.x should not be there",
    "alter table mart.fct_case alter channel type varchar": "is «no. 7, character varying», should be «no. 7, text»",
    "alter table mart.fct_case alter channel set not null": "is «no. 7, text, not null», should be «no. 7, text»",
    "alter table audit.attempt drop outcome, add outcome text": "attempted_at is «no. 8, timestamp with time zone,",
    "alter table staging.callback set (fillfactor = 50)": "with fillfactor=50», should be",
    "alter table staging.callback set unlogged": "the table staging.callback is «kind r, persistence u",
    "alter table publish.release no force row level security": "the table publish.release is «",
    "create table audit.note ()": "the table audit.note should not be there",
    "drop index staging.callback_case": "the index callback_case on staging.callback is missing",
    "drop statistics build.touched_case_key": "the statistics touched_case_key on build.touched_case is missing",
    "alter table audit.batch drop constraint batch_kind_check": "the constraint batch_kind_check on audit.batch is m",
    "drop trigger append_only on assess.appeal": "the trigger append_only on assess.appeal is missing",
    "alter table assess.appeal disable trigger stamp": "enabled D», should be",
    "drop policy own_appeals on assess.appeal": "the policy own_appeals on assess.appeal is missing",
    "alter policy read_by_units on publish.evidence using (true)": "using true», should be «for r, to minhu_unit,",
    f"{CHANGED} as 'select 1::text'": "publish.hash_before_the_first() is «AS $function$select 1::text$function$», sh",
    "create type audit.mood as enum ('x')": "the type audit.mood should not be there",
    "grant select on staging.case_record to minhu_bi": "grant to minhu_bi on table staging.case_record should not be",
    "grant select (title) on staging.case_record to minhu_bi": "to minhu_bi on column staging.case_record.title should",
    "revoke select on mart.fct_case from minhu_bi": "the grant to minhu_bi on table mart.fct_case is missing",
    "grant usage on schema restricted to public": "the grant to public on schema restricted should not be there",
    "alter default privileges in schema mart grant insert on tables to minhu_bi": "is «INSERT, SELECT», should be",
    "alter function audit.score_feeds owner to minhu_unit": "owner of function audit.score_feeds(of_build bigint)",
    "comment on table audit.attempt is 'x'": "the comment on table audit.attempt is «x», should be «Loads that changed",
}


@pytest.fixture(scope="module")
def chain(scratch, before):
    return scratch(template=before)


@pytest.mark.parametrize("change", DIFFERENCES)
def test_what_the_chain_did_not_make_is_refused_with_the_first_difference(chain, change):
    texts = [(database.MIGRATIONS / name).read_bytes() for name in BASELINE]
    with database.connect(chain) as connection:
        connection.execute(change)
        with pytest.raises(Refused, match=re.escape(DIFFERENCES[change])):
            adopt.check(connection, database.applied(connection), texts, database.MIGRATIONS)
        connection.rollback()


def test_what_is_refused_stays_as_it_is(old):
    run(old, "create table audit.note ()", "grant select on staging.callback to minhu_bi")
    ledger, there = known(old), stands(old)
    with pytest.raises(
        Refused, match=r"table audit\.note should not be there.*last commit that has sql/083_by_hand\.sql"
    ):
        database.migrate(old)
    assert (known(old), stands(old)) == (ledger, there)
    run(old, "drop table audit.note", "revoke select on staging.callback from minhu_bi")
    assert database.migrate(old) == ADDED and known(old) == SQUASHED | adopt.read_hashes(KEPT)


def test_a_chain_that_stands_in_the_middle_is_refused(scratch, server, old_chain, tmp_path):
    half = shutil.copytree(old_chain, tmp_path / "half")
    for path in half.glob("0[6-8]*.sql"):
        path.unlink()
    name = "half_applied"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template template0")
    url = sqlalchemy.make_url(server).set(database=name).render_as_string(hide_password=False)
    settings = replace(scratch(), database_url=url)
    database.migrate(settings, half)
    with pytest.raises(Refused, match=r"sql/060_evidence\.sql was never applied"):
        database.migrate(settings)
    assert not known(settings).keys() & set(BASELINE)


def test_a_role_that_is_more_than_a_group_is_refused(old):
    run(old, "alter role minhu_unit createdb")
    try:
        with pytest.raises(Refused, match="the role minhu_unit createdb should not be there"):
            database.migrate(old)
    finally:
        run(old, "alter role minhu_unit nocreatedb")
    assert database.migrate(old) == ADDED


# -- what was added ----------------------------------------------------------------------------------------------------


def test_facts_that_stand_learn_their_limit_in_force_without_a_build(old):
    """assignment: its first limit, the extended one, whether it is unknown, the one in force."""
    facts = {
        "without": (None, None, False, None),
        "plain": ("2026-10-16", None, False, "2026-10-16"),
        "extended": ("2026-10-16", "2026-10-23", False, "2026-10-23"),
        "shortened": ("2026-10-16", "2026-10-14", False, "2026-10-14"),
        "beyond": (None, None, True, None),
        "extended beyond": ("2026-12-31", None, True, None),
        "beyond until a date was granted": (None, "2027-12-31", False, "2027-12-31"),
    }
    names = "due_at, extended_due_at, is_limit_unknown"
    with database.connect(old) as connection:
        for assignment, (*told, _) in facts.items():
            connection.execute(
                "insert into mart.fct_timeliness (assignment_id, case_id, unit_role, round, dispatched_at, clock,"
                " is_calendar_provisional, return_request_count, return_deny_count, extension_count,"
                f" dispatch_batch_id, dispatch_row_number, {names})"
                " values (%s, 'c', 'lead', 1, '2026-10-09', 'working', false, 0, 0, 0, 1, 1, %s, %s, %s)",
                [assignment, *told],
            )
    database.migrate(old)
    with database.connect(old) as connection:
        in_force = connection.execute("select assignment_id, due_in_force_at::date::text from mart.fct_timeliness")
        assert dict(in_force.fetchall()) == {assignment: due for assignment, (*_, due) in facts.items()}
