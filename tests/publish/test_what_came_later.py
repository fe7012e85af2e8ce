"""What a row cost and the law are frozen with a release; a release from before verifies and is explained as before."""

from decimal import Decimal

import psycopg
import pytest

from minhu import database
from minhu.publish import close, diff, publish, revise, verify
from minhu.publish.stored_release import explain_release
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import LATE, UNWITNESSED, case, deliver, login, rows

MONTH = "2026-10"
LATER = {
    "evidence": ["lost_points", "marginal_points"],
    "unit_indicator": ["wilson_low_pct", "wilson_high_pct"],
}
"""By kind of frozen row what a version from before did not have."""
LAW = ("scheme", "peer_group", "band", "indicator")
"""Kinds that it did not have at all."""
SUMS = """
select indicators.unit_code, indicators.indicator_code, indicators.points_max - indicators.points, sum(lost_points)
from publish.unit_indicator as indicators
inner join publish.evidence_of_release as evidence using (release_id, unit_code, indicator_code)
where release_id = %s and evidence.excluded_reason is null
group by 1, 2, 3
order by 1, 2
"""


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    return world.make(scratch, tmp_path_factory.mktemp("cost"))


@pytest.fixture(scope="module")
def qian(city):
    return login(city, "c_qian", "evaluator")


@pytest.fixture(scope="module")
def old(city, qian):
    """The first release, frozen by a version whose rows did not say it, and without the law."""
    names = ",".join(name for names in LATER.values() for name in names)
    with database.connect(city) as connection:
        connection.execute(
            "create function publish.as_before() returns trigger language plpgsql as $$"
            f" begin new.data := new.data - '{{{names}}}'::text[];"
            f" return case when new.kind <> all('{{{','.join(LAW)}}}'::text[]) then new end; end $$"
        )
        connection.execute(
            "create trigger as_before before insert on publish.frozen_row"
            " for each row execute function publish.as_before()"
        )
    closing = close(city, MONTH)
    with database.connect(city) as connection:
        connection.execute("drop function publish.as_before cascade")
    world.judge(qian, closing)
    return publish(city, MONTH, why=UNWITNESSED)


@pytest.fixture(scope="module")
def new(city, qian, old):
    """Its revision: one more late case of 城管局."""
    deliver(city, [case(9, "城管局", **LATE)])
    build(city)
    closing = revise(city, MONTH, why="补报一件")
    world.judge(qian, closing)
    return publish(city, MONTH, why=UNWITNESSED)


def test_a_release_from_before_verifies_as_before(city, old):
    for kind, names in LATER.items():
        for name in names:
            assert rows(city, f"select count({name}) from publish.{kind}") == [(0,)]
    for kind in LAW:
        assert rows(city, f"select count(*) from publish.{kind}") == [(0,)]
    found = verify(city, MONTH)
    assert found.is_ok and found.differences == ()


def test_it_is_explained_as_a_new_one_would_be(city, old):
    """The parts and the marginal values that scoring writes today are those that the old rows are told with."""
    told = explain_release(city, "U1", MONTH, "close_on_time").indicators[0]
    stored = rows(
        city,
        "select subject_id, lost_points, marginal_points from mart.fct_evidence where unit_code = 'U1'"
        " and indicator_code = 'close_on_time' and excluded_reason is null",
    )
    assert len(stored) == 2
    assert sorted((cost.subject_id, cost.lost, cost.marginal) for cost in told.costs) == sorted(stored)


def test_what_the_rows_of_a_new_one_cost_adds_up_to_the_loss(city, new):
    told = rows(city, SUMS, new.release_id)
    assert {(unit, code) for unit, code, *_ in told} >= {("U1", "close_on_time"), ("U2", "close_on_time")}
    for unit, code, lost, parts in told:
        assert parts == lost > 0, (unit, code)


def test_both_verify_by_the_columns_that_they_were_made_with(city, new):
    for revision in (1, 2):
        found = verify(city, MONTH, revision)
        assert found.is_ok and found.differences == (), revision


def test_a_row_that_is_only_worth_more_did_not_move(city, new):
    """Every row of the period changed in the columns that came; the one that was added is the one that is told."""
    changed = {(one.unit_code, one.case_no) for one in diff(city, MONTH).cases}
    assert changed == {("U1", case(9, "城管局")["工单编号"])}
    frozen = rows(city, "select count(*) from publish.evidence where release_id = %s", new.release_id)
    assert frozen > [(2,)]


@pytest.mark.parametrize("kind", LAW)
def test_the_law_is_frozen_with_the_scores(city, new, kind):
    """What the scheme said when it was scored, to whoever reads what is published."""
    columns = "select string_agg(attname, ', ' order by attnum) from pg_attribute where attnum > 0 and attrelid = %s"
    ((names,),) = rows(city, f"{columns}::regclass", f"mart.dim_{kind}")
    told = rows(city, f"select {names} from publish.{kind} where release_id = %s order by row_no", new.release_id)
    assert sorted(told, key=str) == sorted(rows(city, f"select {names} from mart.dim_{kind}"), key=str) != []
    unit = login(city, "c_unit", "unit", unit="U1")
    assert rows(unit, f"select count(*) from publish.{kind}") == [(len(told),)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(unit, f"select 1 from mart.dim_{kind}")
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        rows(city, f"delete from publish.{kind}")


def test_a_law_that_the_scheme_never_said_is_found(city, new, copied):
    """A target written into the frozen law, and the whole chain anew: the scheme of that version says otherwise."""
    copy = copied(city)
    with database.connect(copy) as connection:
        connection.execute("alter table publish.indicator disable trigger append_only")
        connection.execute("update publish.indicator set target = target - 5 where indicator_code = 'close_on_time'")
    found = verify(copy, MONTH)
    assert "publish.indicator" in str(found.findings[0]) and "内容被改动（close_on_time）" in str(found.findings[0])
    assert [(one.table, one.indicator_code, one.column) for one in found.differences] == [
        ("indicator", "close_on_time", "target")
    ]


def test_an_altered_part_is_found(city, new):
    with database.connect(city) as connection:
        connection.execute("alter table publish.evidence disable trigger append_only")
        connection.execute(
            "update publish.evidence set lost_points = lost_points + 1 where release_id = %s and unit_code = 'U1'"
            " and lost_points is not null",
            [new.release_id],
        )
        connection.execute("alter table publish.evidence enable trigger append_only")
    assert "内容被改动" in str(verify(city, MONTH, chain_only=True).findings[0])


def test_the_interval_is_in_the_scale_of_the_value(city, new):
    ends = rows(
        city,
        "select value, wilson_low, wilson_low_pct, wilson_high_pct from publish.unit_indicator"
        " where release_id = %s and unit_code = 'U1' and indicator_code = 'close_on_time'",
        new.release_id,
    )
    ((value, low, low_pct, high_pct),) = ends
    assert low_pct == 100 * low and low_pct < value < high_pct <= Decimal(100)
