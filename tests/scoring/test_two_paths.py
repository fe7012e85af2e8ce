"""Two paths to the same points: the SQL of `minhu score` and the fractions of a trial, on random schemes and counts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from minhu import database
from minhu.schemes import Scheme
from minhu.schemes.arithmetic import split_loss
from minhu.schemes.language.indicator import Indicator
from minhu.schemes.period import Period
from minhu.schemes.tally import Given, UnitCounts, tally
from minhu.scoring.marginal import Marginal

DAY = date(2026, 10, 1)
GROUPS = ("group_a", "group_b")


class Missed(NamedTuple):
    """A row that fell short."""

    unit: str
    indicator: Indicator
    subject: str
    numerator: Decimal
    denominator: Decimal

    @property
    def missed_by(self) -> Decimal:
        return self.numerator if self.indicator.is_lower_better else self.denominator - self.numerator


@dataclass
class Engine:
    """The SQL that the last score run compiled, on tables that the caller fills."""

    connection: psycopg.Connection
    compiled: Path

    def scores(
        self, scheme: Scheme, units: dict[str, UnitCounts], missed: Sequence[Missed] = ()
    ) -> tuple[dict, dict, dict]:
        """Rows of the three results by their keys. ``missed``: the rows that cost points. Nothing is left behind."""
        try:
            self._fill("score_run", [])
            key = {"scheme_id": "drawn", "scheme_version": scheme.scheme_version, "period": "2026-10"}
            (_, _, data), *_ = scheme.entries()
            edges = {"starts_at": "2026-10-01+08", "ends_at": "2026-11-01+08", "as_of": "2026-11-01+08"}
            self._fill("int_scoring__schemes", [key | edges | {"data": Jsonb(data)}])
            points = {group.code: group.points for group in scheme.peer_groups}
            own = [
                key | {"unit_code": unit, "peer_group": of.peer_group, "group_points": points[of.peer_group]}
                for unit, of in units.items()
            ]
            self._fill("int_scoring__units", own)
            self._run("int_scoring__terms")
            self._fill("int_scoring__counts", list(self._counts(scheme, units)))
            self._run("fct_unit_indicator")
            self._run("fct_unit_score")
            self._fill("int_scoring__evidence", [key | self._row(one) for one in missed])
            self._run("fct_evidence")
            return (
                {(row["unit_code"], row["indicator_code"]): row for row in self._rows("fct_unit_indicator")},
                {row["unit_code"]: row for row in self._rows("fct_unit_score")},
                {
                    (row["unit_code"], row["indicator_code"], row["subject_id"]): row
                    for row in self._rows("fct_evidence")
                },
            )
        finally:
            self.connection.rollback()

    @staticmethod
    def _row(one: Missed) -> dict:
        told = {"unit_code": one.unit, "indicator_code": one.indicator.code, "missed_by": one.missed_by}
        told |= {"numerator_value": one.numerator, "denominator_value": one.denominator}
        return told | {"subject_kind": "assignment", "subject_id": one.subject}

    def _counts(self, scheme: Scheme, units: dict[str, UnitCounts]) -> Iterator[dict]:
        for unit, of in units.items():
            for indicator in scheme.indicators:
                if indicator.scores(of.peer_group):
                    told = of.given[indicator.code]
                    peers = [peer.given[indicator.code] for peer in units.values() if peer.peer_group == of.peer_group]
                    below = told.denominator
                    if indicator.aggregate == "share":
                        below = sum(peer.numerator for peer in peers)
                    yield {
                        "unit_code": unit,
                        "peer_group": of.peer_group,
                        "indicator_code": indicator.code,
                        "numerator": _number(told.numerator or Fraction()),
                        "denominator": _number(below or Fraction()),
                        "is_external_denominator": indicator.aggregate in ("share", "per_10k"),
                        "quantile": _number(told.value) if indicator.aggregate in ("median", "p90") else None,
                        "entered": _number(told.value) if indicator.is_manual else None,
                    }

    def _fill(self, table: str, rows: list[dict]) -> None:
        self.connection.execute(f"delete from build.{table}")
        for row in rows:
            names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
            self.connection.execute(f"insert into build.{table} ({names}) values ({marks})", row)

    def _run(self, model: str) -> None:
        self.connection.execute(f"delete from build.{model}")
        self.connection.execute(f"insert into build.{model} {(self.compiled / f'{model}.sql').read_text('utf-8')}")

    def _rows(self, table: str) -> list[dict]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(f"select * from build.{table}").fetchall()


@pytest.fixture(scope="module")
def engine(october) -> Iterator[Engine]:
    compiled = october.settings.home / "dbt" / "target" / "compiled" / "minhu" / "models" / "scoring"
    with database.connect(october.settings) as connection:
        yield Engine(connection, compiled)


def _number(value: Fraction | None) -> Decimal | None:
    return None if value is None else Decimal(value.numerator) / Decimal(value.denominator)


# What is drawn

hundredths = st.integers(0, 9999).map(lambda n: str(Decimal(n) / 100))


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    """Decimal numbers of up to three places."""
    return st.integers(least * 1000, most * 1000).map(lambda n: str(Decimal(n) / 1000))


def parameters(kind: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    """One number, or one that differs by peer group and date."""
    varied = st.tuples(kind, kind, kind).map(
        lambda three: [
            {"value": three[0]},
            {"from": "2026-10-01", "value": three[1]},
            {"peer_groups": ["group_b"], "value": three[2]},
            {"from": "2026-11-01", "peer_groups": ["group_a"], "value": three[0]},
        ]
    )
    return st.one_of(kind, kind, varied)


@st.composite
def indicators(draw: st.DrawFn, number: int) -> dict:
    kind = draw(
        st.sampled_from(["rate", "rate", "rate", "count", "share", "weighted", "quantile", "per_10k", "manual"])
    )
    points = draw(st.integers(2, 60))
    told = {"code": f"indicator_{number}", "name_zh": f"指标{number}", "points": points}
    told["when_empty"] = draw(st.sampled_from(["left_out", "full_points", "zero"]))
    if draw(st.booleans()):
        told["peer_groups"] = [draw(st.sampled_from(GROUPS))]
    measured = {
        "rate": {"measure": "close_on_time", "moment": draw(st.sampled_from(["due_at", "dispatched_at"]))},
        "count": {"measure": "violation_not_handled", "moment": "occurred_at", "aggregate": "count"},
        "share": {"measure": "intake", "moment": "received_at", "aggregate": "share"},
        "weighted": {
            "measure": "satisfaction",
            "moment": "called_at",
            "aggregate": "mean",
            "answers": {"weights": {"satisfied": 1, "dissatisfied": 0}},
        },
        "quantile": {
            "measure": "working_minutes",
            "moment": "closed_at",
            "aggregate": draw(st.sampled_from(["median", "p90"])),
        },
        "per_10k": {"measure": "demand_per_10k", "moment": "received_at", "aggregate": "per_10k"},
        "manual": {},
    }[kind]
    told |= measured
    percent = parameters(numbers(1, 100))
    table = draw(st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True))
    steps = {
        "function": "steps",
        "otherwise": draw(st.integers(0, points)),
        "steps": draw(
            st.sampled_from(
                [
                    [
                        {"at_least": bound, "points": points - n % 2}
                        for n, bound in enumerate(sorted(table, reverse=True))
                    ],
                    [{"at_most": bound, "points": points - n % 2} for n, bound in enumerate(sorted(table))],
                ]
            )
        ),
    }
    item = {"per_item": draw(parameters(numbers(1, 4)))}
    if kind == "count":
        if draw(st.booleans()):
            told["points"] = 0
            cap = draw(parameters(numbers(1, 9)))
        else:
            cap = points
        told["scoring"] = {
            "function": draw(st.sampled_from(["per_item_deduction", "per_item_bonus"])),
            "cap": cap,
        } | item
    elif kind == "manual":
        told["scoring"] = {"function": "manual", "entry": draw(st.sampled_from(["earned", "change"]))}
        if draw(st.booleans()):
            told["points"] = 0
            told["scoring"] |= {"floor": -5, "cap": 3}
    elif kind in ("quantile", "per_10k"):
        told["scoring"] = steps
    else:
        linear = {
            "function": "linear_deduction",
            "target": draw(percent),
            "per_point": draw(parameters(numbers(1, 3))),
            "floor": draw(parameters(numbers(0, 2))),
            "better": draw(st.sampled_from(["higher", "lower"])),
        }
        told["scoring"] = draw(st.sampled_from([{"function": "proportional", "target": draw(percent)}, linear, steps]))
        if kind != "share" and draw(st.booleans()):
            told["min_n"] = draw(st.integers(1, 4))
    return told


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    count = draw(st.integers(1, 4))
    rounding = {
        "order": draw(st.sampled_from(["components_first", "components_first", "sum_first"])),
        "decimals": draw(st.integers(0, 4)),
        "rate_decimals": draw(st.sampled_from([None, None, 0, 2])),
    }
    everywhere = {
        "code": "on_time",
        "name_zh": "按时办结率",
        "measure": "close_on_time",
        "moment": "due_at",
        "points": draw(st.integers(1, 60)),
        "scoring": {"function": "proportional", "target": draw(parameters(numbers(1, 100)))},
    }
    return Scheme.model_validate(
        {
            "id": "drawn",
            "title": "随机办法",
            "legal_basis": [{"title": "drawn for the test"}],
            "valid_from": "2026-01-01",
            "periods": {"month": "final"},
            "peer_groups": [
                {"code": code, "name_zh": code, "points": draw(st.sampled_from(["100", "4.5", "150", "0.333"]))}
                for code in GROUPS
            ],
            "indicators": [everywhere, *(draw(indicators(number)) for number in range(count))],
            "bands": [{"name_zh": "好", "at_least": draw(numbers(1, 99))}, {"name_zh": "差", "at_least": 0}],
            "rounding": rounding,
            "publication": {
                "min_n": draw(st.one_of(st.none(), parameters(st.integers(1, 6).map(str)))),
                "lists": [
                    {"name_zh": "红榜", "take": "best", "count": 2},
                    {"name_zh": "黑榜", "take": "worst", "count": 2, "within": "all"},
                ],
            },
        }
    )


@st.composite
def counted(draw: st.DrawFn, scheme: Scheme) -> dict[str, UnitCounts]:
    units = {}
    for number in range(draw(st.integers(1, 5))):
        known = {}
        for indicator in scheme.indicators:
            below = draw(st.sampled_from([0, 1, 2, 3, 6, 7, 12, 2000, 100_003]))
            above = Fraction(draw(st.integers(0, below)))
            if indicator.is_manual:
                entered = draw(st.one_of(st.none(), st.integers(-900, 900)))
                known[indicator.code] = Given(value=None if entered is None else Fraction(entered, 100))
            elif indicator.aggregate in ("median", "p90"):
                known[indicator.code] = Given(above, Fraction(below), Fraction(above) if below else None)
            elif indicator.aggregate == "share":
                known[indicator.code] = Given(above)
            elif indicator.aggregate == "mean":
                known[indicator.code] = Given(above * Fraction(draw(st.integers(0, 10)), 10), Fraction(below))
            else:
                known[indicator.code] = Given(above, Fraction(below))
        units[f"u{number}"] = UnitCounts(draw(st.sampled_from(GROUPS)), known, has_case=False)
    return units


@st.composite
def fallen_short(draw: st.DrawFn, scheme: Scheme, units: dict[str, UnitCounts]) -> list[Missed]:
    """Rows that cost points, no more than were counted."""
    found = []
    for unit, of in units.items():
        for indicator in scheme.indicators:
            told = of.given[indicator.code]
            if not indicator.scores(of.peer_group) or indicator.is_manual or not indicator.is_told_by_rows:
                continue
            above, below = told.numerator, told.denominator or told.numerator
            most = above if indicator.is_lower_better else below - above
            for number in range(draw(st.integers(0, min(5, int(most))))):
                short = Decimal(1)
                if indicator.aggregate == "mean":
                    short = Decimal(draw(st.integers(1, 10))) / 10
                counted = short if indicator.is_lower_better else 1 - short
                found.append(Missed(unit, indicator, f"{'aZb'[number % 3]}{number}", counted, Decimal(1)))
    return found


NUMBERS = ("value", "points_max", "points", "wilson_low", "wilson_high", "funnel_flag")
RESULTS = (*("raw_points", "score_100", "assessed_points", "band", "rank_in_group", "not_ranked_reason", "listed_on"),)


@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_both_paths_agree_to_the_last_digit(engine, data):
    scheme = data.draw(schemes())
    units = data.draw(counted(scheme))
    missed = data.draw(fallen_short(scheme, units))
    indicators_of, scores_of, rows_of = engine.scores(scheme, units, missed)
    _judge_rows(scheme, units, missed, rows_of, indicators_of)
    for unit in tally(scheme, DAY, units):
        for part in unit.indicators:
            row = indicators_of.pop((unit.unit, part.code))
            assert {name: row[name] for name in NUMBERS} == {name: getattr(part, name) for name in NUMBERS}, part.code
        row = scores_of.pop(unit.unit)
        assert {name: row[name] for name in RESULTS} == {name: getattr(unit, name) for name in RESULTS}
    assert not scores_of and not indicators_of


def _judge_rows(scheme, units, missed, rows_of, indicators_of):
    """What each row cost and what it is worth by itself, in fractions."""
    of_part = defaultdict(list)
    for one in missed:
        of_part[one.unit, one.indicator.code].append(one)
    for place, rows in of_part.items():
        part, indicator = indicators_of[place], rows[0].indicator
        lost = max(part["points_max"] - part["points"], Decimal()) if part["points"] is not None else Decimal()
        parts = split_loss(lost, ((one.subject, one.missed_by) for one in rows))
        marginal = Marginal(scheme, indicator, units[place[0]].peer_group, Period.parse("2026-10"), part)
        for one in rows:
            row = rows_of.pop((*place, one.subject))
            expected = parts[one.subject], marginal.without_row(one.numerator, one.denominator)
            assert (row["lost_points"], row["marginal_points"]) == expected, (indicator, one)
    assert not rows_of


def test_a_rate_is_drawn_towards_its_peers_by_as_much_as_chance_explains(engine):
    """10, 50 and 90 of 100: 32 of squares, 0.5 expected, so 0.1575 between units against 0.0025 of chance."""
    scheme = Scheme.model_validate(
        {
            "id": "drawn",
            "title": "一项",
            "legal_basis": [{"title": "made up for the tests"}],
            "valid_from": "2026-01-01",
            "periods": {"month": "final"},
            "peer_groups": [{"code": code, "name_zh": code, "points": 100} for code in GROUPS],
            "indicators": [
                {
                    "code": "on_time",
                    "name_zh": "按时办结率",
                    "measure": "close_on_time",
                    "moment": "due_at",
                    "points": 100,
                    "scoring": {"function": "proportional"},
                }
            ],
        }
    )
    counts = {"low": (10, 100), "middle": (50, 100), "high": (90, 100), "none": (0, 0)}
    units = {
        unit: UnitCounts("group_a", {"on_time": Given(Fraction(above), Fraction(below))})
        for unit, (above, below) in counts.items()
    }
    units["alone"] = UnitCounts("group_b", {"on_time": Given(Fraction(3), Fraction(4))})
    indicators_of, *_ = engine.scores(scheme, units)
    shrunken = {unit: row["shrunken_value"] for (unit, _), row in indicators_of.items()}
    assert shrunken == {
        "low": Decimal("10.625"),
        "middle": Decimal(50),
        "high": Decimal("89.375"),
        "none": None,
        "alone": Decimal(75),
    }
    assert {unit: row["points"] for (unit, _), row in indicators_of.items()}["low"] == Decimal("10.00")
