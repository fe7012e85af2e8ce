"""Marts for people who drag and drop: what they sum to is what the scheme counted, whatever they group by."""

import psycopg
import pytest

from minhu import database
from minhu.publish import close, publish
from minhu.schemes.catalogue import measures
from minhu.scoring import score
from minhu.scoring.rates import TABLES, filled, pairs
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import IN_TIME, LATE, UNWITNESSED, case, deliver, login, rows

MONTH = "2026-10"
SCORED = """
select ind.unit_code, ind.indicator_code, score.peer_group, ind.period, ind.numerator, ind.denominator
from mart.fct_unit_indicator as ind
inner join mart.fct_unit_score as score using (scheme_id, scheme_version, period, unit_code)
inner join mart.dim_indicator as law using (scheme_id, scheme_version, period, indicator_code)
where law.measure_code = %s and law.aggregate in ('rate', 'mean') and ind.period like '____-__' and ind.denominator > 0
"""
WIDE = """
select unit_code, peer_group, to_char({pair}_on, 'YYYY-MM'), sum({pair}_n), sum({pair}_of)
from mart.{kind}_wide where {pair}_of is not null group by 1, 2, 3
"""
BY_DAY = """
select peer_group, to_char(day_on, 'YYYY-MM'), sum(numerator), sum(denominator)
from mart.agg_rate where grain = 'peer_group' and pair = %s group by 1, 2
"""


def told_by_scores(city):
    """{pair: {(unit, group, month): (numerator, denominator)}} of the months that were scored."""
    return {
        one.pair: {
            (unit, group, month): (above, below) for unit, _, group, month, above, below in rows(city, SCORED, one.code)
        }
        for one in measures().values()
        if one.pair
    }


def told_by_rows(city):
    return {
        pair: {
            (unit, group, month): (above, below)
            for unit, group, month, above, below in rows(city, WIDE.format(pair=pair, kind=kind))
        }
        for kind, of_kind in pairs().items()
        for pair in of_kind
    }


def told_by_days(city):
    return {
        pair: {(group, month): (above, below) for group, month, above, below in rows(city, BY_DAY, pair)}
        for of_kind in pairs().values()
        for pair in of_kind
    }


def hold(city):
    """Asserts that all three say the same."""
    scored, by_row, by_day = told_by_scores(city), told_by_rows(city), told_by_days(city)
    assert by_row == scored
    for pair, units in scored.items():
        groups = {}
        for (_, group, month), (above, below) in units.items():
            was = groups.get((group, month), (0, 0))
            groups[group, month] = (was[0] + above, was[1] + below)
        assert by_day[pair] == groups, pair
    return scored


def call(number, unit, answer):
    """A callback about a case."""
    return {
        "case_no": case(number, unit)["工单编号"],
        "called_at": "2026-10-22 10:00:00",
        "unit_name": unit,
        "is_reached": "true",
        "resolution_code": "resolved" if answer == "satisfied" else "unresolved",
        "satisfaction_code": answer,
    }


def made(scratch, folder):
    """A city whose units are called back, some cases of which are late, open, or of another month."""
    city = world.make(scratch, folder)
    of_september = {
        "受理时间": "2026-09-14 08:30:00",
        "转办时间": "2026-09-14 09:00:00",
        "办理期限": "2026-09-22 00:00",
    }
    deliver(city, [case(9, "城管局", 办结时间=""), case(10, "交通局", **of_september)])
    calls = [call(1, "城管局", "satisfied"), call(2, "城管局", "dissatisfied"), call(7, "交通局", "satisfied")]
    deliver(city, calls, delivery="callbacks")
    return city


@pytest.fixture(scope="module")
def scored(scratch, tmp_path_factory):
    city = made(scratch, tmp_path_factory.mktemp("wide"))
    build(city)
    score(city, "2026-09")
    score(city, MONTH)
    return city


@pytest.fixture
def city(scored, copied):
    return copied(scored)


def test_the_pairs_are_those_of_the_catalogue_and_of_the_tables(scored):
    with database.connect(scored) as connection:
        for kind, table in TABLES.items():
            said = {f"{pair}_{part}" for pair in pairs()[kind] for part in ("n", "of", "on")}
            assert {*database.columns(connection, f"mart.{table}")} == {f"{kind}_id", "unit_code", *said}
            assert said <= {*database.columns(connection, f"mart.{kind}_wide")}


def test_sums_by_unit_month_and_group_are_the_scores(city):
    scored = hold(city)
    assert scored["on_time"]["U1", "linan_department", MONTH] == (4, 7), "the open one counts as late"
    assert scored["on_time"]["U2", "linan_department", "2026-09"] == (0, 1)
    assert scored["satisfied"]["U1", "linan_department", MONTH] == (1, 2)
    assert {pair for pair, units in scored.items() if units} >= {"on_time", "signed", "denied", "satisfied", "resolved"}


def test_what_comes_later_counts_with_the_next_score_and_a_second_writes_nothing(city):
    before = rows(city, "select xmin::text, * from mart.assignment_rate order by 2")
    score(city, MONTH)
    assert rows(city, "select xmin::text, * from mart.assignment_rate order by 2") == before
    deliver(city, [case(9, "城管局", **IN_TIME), case(11, "交通局", **LATE)])
    build(city)
    score(city, MONTH)
    scored = hold(city)
    assert scored["on_time"]["U1", "linan_department", MONTH] == (5, 7)
    after = {row[1]: row for row in rows(city, "select xmin::text, * from mart.assignment_rate")}
    assert sum(after[row[1]] == row for row in before) >= len(before) - 1, "rows that say the same stay as they lie"


def test_what_counts_no_more_is_emptied_and_what_counts_elsewhere_stays(city):
    with database.connect(city) as connection:
        connection.execute(
            "update mart.fct_timeliness set is_excluded = true, exclusion_reason = 'x' where unit_code = 'U2'"
        )
    score(city, MONTH)
    assert {month for unit, _, month in hold(city)["on_time"] if unit == "U2"} == {"2026-09"}, "as it was scored last"
    left = "select distinct to_char(on_time_on, 'YYYY-MM') from mart.assignment_rate where unit_code = 'U2'"
    assert set(rows(city, left)) == {(None,), ("2026-09",)}


def test_a_longer_period_counts_nothing_twice(city):
    before = told_by_rows(city)
    score(city, "2026")
    assert told_by_rows(city) == before


def test_two_schemes_that_count_the_same_fill_a_pair_once(city):
    text = (city.config / "schemes" / "linan.yml").read_text(encoding="utf-8")
    second, _ = text.replace("id: linan", "id: a_second").split("# Of the limits of one kind")
    (city.config / "schemes" / "a_second.yml").write_text(second, encoding="utf-8")
    deliver(city, [case(12, "交通局", **LATE)])
    build(city)
    score(city, MONTH, "linan")
    was = told_by_rows(city)
    score(city, MONTH, "a_second")
    now = told_by_rows(city)
    score(city, MONTH, "linan")
    assert told_by_rows(city) == now
    assert was["on_time"] != {} and now["on_time"]["U2", "linan_department", MONTH] == (1, 3)


def test_the_first_scheme_by_its_id_fills_a_pair_and_a_quarter_does_not(scored):
    from minhu.schemes import read_scheme
    from minhu.schemes.period import Period

    linan = read_scheme(scored.config / "schemes" / "linan.yml")
    other = linan.model_copy(update={"scheme_id": "aaa"})
    by = filled([linan, other], Period.parse(MONTH))
    assert by["linan_department", "on_time"] == ("aaa", "close_on_time")
    assert filled([linan], Period.parse("2026")) == {}


def test_published_figures_stand_in_the_wide_scores_and_a_later_score_does_not_move_them(city):
    qian = login(city, "wide_qian", "evaluator")
    bi = login(city, "wide_bi", "bi")
    columns = "unit_code, indicator_code, numerator, denominator, points"
    told = f"select {columns} from mart.score_wide where period = %s order by 1, 2"
    scored = rows(bi, told, MONTH)
    assert scored and rows(bi, "select distinct is_published from mart.score_wide") == [(False,)]
    world.judge(qian, close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    deliver(city, [case(13, "交通局", **LATE)])
    build(city)
    score(city, MONTH)
    assert rows(bi, told, MONTH) == scored
    assert rows(bi, "select distinct period, is_published from mart.score_wide order by 1") == [
        ("2026-09", False), (MONTH, True),
    ]  # fmt: skip
    assert rows(
        bi, "select distinct period_on::text, period_kind_zh from mart.score_wide where period = %s", MONTH
    ) == [("2026-10-01", "月")]


def test_every_grain_is_one_row(city):
    for view, fact in (("case", "fct_case"), ("assignment", "fct_timeliness"), ("callback", "fct_satisfaction")):
        assert rows(city, f"select count(*), count(distinct {view}_id) from mart.{view}_wide") == rows(
            city, f"select count(*), count(*) from mart.{fact}"
        )
    assert rows(city, "select count(*) from mart.score_wide") == rows(
        city, "select count(distinct (scheme_id, period, unit_code, indicator_code)) from mart.score_wide"
    )


def test_a_policy_that_a_city_hangs_on_a_fact_holds_in_the_wide_mart(city):
    bi = login(city, "wide_bi", "bi")
    assert rows(bi, "select count(*) from mart.assignment_wide") != [(0,)]
    with database.connect(city, autocommit=True) as owner:
        owner.execute("create policy nothing on mart.fct_timeliness as restrictive for select to wide_bi using (false)")
        owner.execute("create policy nothing on mart.fct_case as restrictive for select to wide_bi using (false)")
    assert (
        rows(bi, "select count(*) from mart.assignment_wide")
        == [(0,)]
        == rows(bi, "select count(*) from mart.case_wide")
    )
    unit = login(city, "wide_u1", "unit", unit="U1")
    for view in ("case_wide", "assignment_wide", "callback_wide", "score_wide", "assignment_rate", "agg_rate"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(unit, f"select 1 from mart.{view}")
