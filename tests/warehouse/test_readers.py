"""Rebuilding leaves alone what readers hung on the facts: views, grants, policies, and the transaction they are in."""

import shutil

import psycopg
import pytest
import sqlalchemy

from minhu import database
from minhu.database import logins
from minhu.errors import Refused
from minhu.scoring import score
from minhu.warehouse import applying, dbt
from minhu.warehouse.build import build
from tests.warehouse import test_build
from tests.warehouse.test_build import case, event, facts, load, query, query_nothing

READER, GUEST = "test_bi_reader", "test_bi_guest"

OWN = f"""
create schema own authorization {READER};
create role {GUEST} nologin;
grant usage on schema mart to {GUEST};
grant select on mart.fct_case, mart.measure_close_on_time to {GUEST};
alter table mart.fct_case enable row level security;
create policy h1_only on mart.fct_case as restrictive for select to {READER} using (feed_code = 'h1');
"""
VIEWS = """
create view own.late as
select unit_code, count(*) filter (where not is_closed_on_time) as late, count(*) as duties
from mart.fct_timeliness group by 1;
create view own.on_time as select sum(denominator_value)::integer as counted from mart.measure_close_on_time;
"""
# Everything about the relations of mart and of the reader that a rebuild could lose.
HANGING = """
select c.oid, c.relnamespace::regnamespace::text, relname, relkind, relacl::text, relrowsecurity, relowner
from pg_class as c where relnamespace in ('mart'::regnamespace, 'own'::regnamespace) and relkind in ('r', 'p', 'v')
    and not relispartition
union all
select oid, polrelid::regclass::text, polname, polcmd, polroles::text, polpermissive, null from pg_policy
order by 1
"""


@pytest.fixture(scope="module")
def scored(scratch, tmp_path_factory):
    """Facts of two hotlines, scored."""
    city = test_build.made(scratch, tmp_path_factory.mktemp("scored"))
    load(city, "cases", [case(1), case(2, 办结时间="2026-10-21 10:00:00")])
    load(city, "cases", [case(9)], feed="h2")
    build(city)
    score(city, "2026-10")
    return city


@pytest.fixture
def city(scored, copied):
    return copied(scored)


@pytest.fixture
def reader(city):
    """A login of a BI tool with views of its own on the city; its connection."""
    with database.connect(city) as owner:
        password = logins.add_login(owner, READER, "bi")
        owner.execute(OWN)
    url = sqlalchemy.make_url(city.database_url).set(username=READER, password=password)
    try:
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute("set default_transaction_read_only = off")
            connection.execute(VIEWS)
            yield connection
    finally:
        with database.connect(city) as owner:
            owner.execute(f"drop owned by {READER}, {GUEST} cascade")
            owner.execute(f"drop role {READER}, {GUEST}")


def seen(reader):
    """What the reader's own views and the policy show: late, duties, counted, cases."""
    (row,) = reader.execute(
        "select sum(late)::integer, sum(duties)::integer, (select counted from own.on_time),"
        " (select count(*) from mart.fct_case) from own.late"
    ).fetchall()
    return row


def test_views_grants_and_policies_survive_every_rebuild(city, reader):
    hanging = query(city, HANGING)
    assert len([row for row in hanging if row[1] == "own"]) == 2 and seen(reader) == (1, 3, 3, 2)
    load(city, "cases", [case(3)], day=13)
    build(city)
    assert seen(reader) == (1, 4, 4, 3), "the views read on, and the policy hides the other hotline's case"
    build(city, full_refresh=True)
    score(city, "2026-10")
    assert seen(reader) == (1, 4, 4, 3)
    assert query(city, HANGING) == hanging
    query_nothing(city, f"set local role {GUEST}; select * from mart.measure_close_on_time")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(city, f"set local role {GUEST}; select * from mart.fct_violation")


@pytest.mark.parametrize("whom", ["public", READER])
def test_a_policy_that_a_city_had_before_ours_narrows_as_before(scratch, tmp_path, whom):
    """A city that hides the other hotline's cases; then the migration comes that gives every reader a policy."""
    city, folder = scratch(template="template0"), tmp_path / "sql"
    folder.mkdir()
    for file in database.MIGRATIONS.glob("[0-9]*.sql"):
        if file.name < "235":
            shutil.copy(file, folder)
    database.migrate(city, folder)
    with database.connect(city, autocommit=True) as owner:
        password = logins.add_login(owner, READER, "bi")
        url = sqlalchemy.make_url(city.database_url).set(username=READER, password=password)
        try:
            owner.execute("alter table mart.fct_case enable row level security")
            owner.execute(f"create policy h1_only on mart.fct_case to {whom} using (feed_code = 'h1')")
            database.migrate(city)
            for feed in ("h1", "h2"):
                owner.execute(
                    "insert into mart.fct_case (case_id, feed_code, case_no, received_at, is_excluded,"
                    " assignment_count, return_count, rework_count, root_case_id, source_batch_id, source_row_number)"
                    " values (%(feed)s, %(feed)s, '7', now(), false, 1, 0, 0, %(feed)s, 1, 1)",
                    {"feed": feed},
                )
            with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
                told = connection.execute("select feed_code from mart.fct_case").fetchall()
        finally:
            owner.execute(f"drop owned by {READER}; drop role {READER}")
    assert told == [("h1",)]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The dbt project, to be changed."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(dbt.PROJECT, copy)
    monkeypatch.setattr(dbt, "PROJECT", copy)
    return copy / "models" / "scoring"


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def row_of_measures(project):
    return project.parents[1] / "macros" / "scoring_measures.sql"


@pytest.mark.long
def test_a_measure_that_changes_is_replaced_under_its_readers(city, reader, project):
    hanging, before = query(city, HANGING), seen(reader)
    change(row_of_measures(project), "1::numeric as denominator", "2::numeric as denominator")
    score(city, "2026-10")
    assert seen(reader) == (*before[:2], 2 * before[2], before[3])
    assert query(city, HANGING) == hanging


def test_a_measure_of_another_shape_is_refused_and_nothing_is_dropped(city, reader, project):
    hanging, before = query(city, HANGING), seen(reader)
    of_measures = row_of_measures(project)
    whole = of_measures.read_text(encoding="utf-8")
    change(of_measures, "        {{ callback_id }}::text as callback_id,\n", "")
    with pytest.raises(Refused, match=r"measure_\w+: Compilation Error.*enforced contract"):
        score(city, "2026-10")
    of_measures.write_text(whole.replace("1::numeric as denominator", "1::bigint as denominator"), encoding="utf-8")
    with pytest.raises(Refused, match=r"measure_\w+: Compilation Error.*enforced contract"):
        score(city, "2026-10")
    assert (query(city, HANGING), seen(reader)) == (hanging, before)


@pytest.mark.long
def test_columns_that_do_not_fit_the_old_ones_are_refused_and_nothing_is_dropped(city, reader, project):
    hanging, before = query(city, HANGING), seen(reader)
    change(row_of_measures(project), "as answer_code", "as reply")
    change(project / "measures" / "measure_data_quality.sql", "as answer_code", "as reply")
    text = (project / "_scoring.yml").read_text(encoding="utf-8")
    assert text.count("- name: answer_code") == 1
    (project / "_scoring.yml").write_text(text.replace("- name: answer_code", "- name: reply"), encoding="utf-8")
    with pytest.raises(Refused, match=r"measure_\w+: Database Error.*cannot change name of view column"):
        score(city, "2026-10")
    assert (query(city, HANGING), seen(reader)) == (hanging, before)


def test_a_reader_sees_the_facts_of_one_build_only(city, reader, monkeypatch):
    """In a transaction of its own before, while and after a build applies; and one statement at a time meanwhile."""
    across = (
        "select (select count(*) from mart.fct_case), (select count(*) from mart.fct_timeliness),"
        " (select counted from own.on_time), (select max(return_count) from mart.fct_case)"
    )
    real, looks = applying.replace_rows, []

    def replace_and_look(*arguments, **more):
        rows = real(*arguments, **more)
        looks.append((reader.execute(across).fetchone(), glancing.execute(across).fetchone()))
        return rows

    load(city, "cases", [case(3), case(1, 主要内容="再次来电")], day=13)
    load(city, "events", [event(1, "RETURN_GRANT", "12 11:00:00")], day=13)
    monkeypatch.setattr(applying, "replace_rows", replace_and_look)
    with database.connect(city, autocommit=True) as glancing:
        glancing.execute("set role minhu_bi; reset role")
        old = glancing.execute(across).fetchone()
        reader.execute("begin isolation level repeatable read")
        mine = reader.execute(across).fetchone()
        build(city)
        assert set(looks) == {(mine, old)} and len(looks) > 10, "nothing of the new facts shows before all of them do"
        assert reader.execute(across).fetchone() == mine
        reader.execute("commit")
        new = glancing.execute(across).fetchone()
    assert new != old and new[0] == old[0] + 1 and new[3] == 1
    assert reader.execute(across).fetchone() == (new[0] - 1, *new[1:])
    assert facts(city)["fct_case"]
