"""Two paths to the same points: the product's fractions, and the loops of the oracle, on random schemes and counts.

What single rows cost is split by SQL: those splits are held against fractions, too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from minhu import database
from minhu.schemes import Scheme
from minhu.schemes.arithmetic import split_loss
from minhu.schemes.counts import Earlier, Given, UnitCounts
from minhu.schemes.language.indicator import Indicator, Line
from minhu.schemes.period import Period
from minhu.schemes.tally import ScoredUnit, references, tally, with_group_counts
from minhu.scoring.marginal import Marginal
from tests.oracle import beside, wholes
from tests.oracle import scores as oracle
from tests.oracle.functions import has_happened

DAY, PERIOD = date(2026, 10, 1), "2026-10"
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


class SecondPath:
    """What the oracle makes of the counts of units."""

    def __init__(self, told: dict, units: dict[str, UnitCounts]):
        self.told, self.units = told, units
        self.scoring = oracle.Scoring(SimpleNamespace(matters={}), None, None, told, DAY)
        self.table = {
            group: [found for one in told["indicators"] if (found := oracle.of_group(one, group, DAY))]
            for group in GROUPS
        }
        self.counts = {
            unit: {one["code"]: _count(one, unit, units) for one in oracle.rows_of(self.table[of.peer_group])}
            for unit, of in units.items()
        }
        self.others: dict[tuple[str, str], list[Fraction]] = {}
        """The values among which a unit has its place."""
        self.held: dict[str, oracle.Held] = {unit: {} for unit in units}
        for group in GROUPS:
            self._hold(group)

    def results(self) -> oracle.Result:
        """The columns of both tables."""
        scoring, table = self.scoring, self.table
        span = oracle.Span.of(PERIOD, date(2026, 10, 31))
        lines = {unit: SimpleNamespace(peer_group=of.peer_group) for unit, of in self.units.items()}
        items = {
            (unit, one["code"]): scoring.lines(one, self.counts[unit], self.held[unit])
            for unit, of in self.units.items()
            for one in table[of.peer_group]
        }
        of_indicator = {(unit, code): line for (unit, _), found in items.items() for code, line in found.items()}
        scoring.compare_with_peers(lines, table, of_indicator)
        of_unit = {}
        for unit, of in self.units.items():
            told_of = [(one, items[unit, one["code"]]) for one in table[of.peer_group]]
            events = [(one["scoring"], found[one["code"]]["raw"]) for one, found in told_of if oracle.is_event(one)]
            of_unit[unit] = scoring.total(told_of)
            of_unit[unit]["happened"] = [event for event, value in events if has_happened(event, value)]
        scoring.place(span, lines, of_unit)
        return of_indicator, of_unit

    def points(self, unit: str, line: str, given: Given) -> Decimal | None:
        """The points of the item of a line, had this been counted of the line and nothing else been otherwise: neither
        other units, nor what is held against, nor who may be ranked."""
        of = self.units[unit]
        (item,) = (one for one in self.table[of.peer_group] if line in [row["code"] for row in oracle.rows_of([one])])
        units = {**self.units, unit: replace(of, given={**of.given, line: given})}
        counts = {**self.counts[unit]}
        held = dict(self.held[unit])
        for one in oracle.rows_of([item]):
            counts[one["code"]] = _count(one, unit, units)
        for one in oracle.rows_of([item]):
            if (unit, one["code"]) in self.others and (value := self.value(one, counts)) is not None:
                place = beside.place(one["compared"], value, self.others[unit, one["code"]])
                held[one["code"]] = oracle.HeldAgainst(place=place)
        given_points = [one["points"] for one in self.scoring.lines(item, counts, held).values()]
        told = [points for points in given_points if points is not None]
        return sum(told, Decimal()) if told else None

    def value(self, one: dict, counts: dict[str, oracle.Count]) -> Fraction | None:
        """The value of a row: counted, or made of those of its parts."""
        if "parts" not in one:
            return self.scoring.value(one, counts[one["code"]])
        own = {part["code"]: self.scoring.value(part, counts[part["code"]]) for part in one["parts"]}
        return wholes.made(one, own) if "combine" in one else None

    def _hold(self, group: str) -> None:
        """What the values of a group's units are held against."""
        table, counts = self.table[group], self.counts
        members = [unit for unit, of in self.units.items() if of.peer_group == group]
        ranked = [unit for unit in members if _may_rank(self.scoring, self.told, table, counts[unit], group)]
        for one in oracle.rows_of(table):
            compared, code = one.get("compared"), one["code"]
            if not compared:
                continue
            values = {unit: self.value(one, counts[unit]) for unit in ranked}
            values = {unit: value for unit, value in values.items() if value is not None}
            pairs = [(counts[unit][code].numerator, counts[unit][code].denominator) for unit in values]
            scale = 10_000 if one.get("aggregate") == "per_10k" else 100
            number = beside.reference(compared, list(values.values()), [] if "parts" in one else pairs, scale)
            for unit in members:
                found = oracle.HeldAgainst(number)
                if compared["to"] == "group_rank" and unit in values:
                    self.others[unit, code] = [value for other, value in values.items() if other != unit]
                    found.place = beside.place(compared, values[unit], self.others[unit, code])
                elif compared["to"] not in beside.OF_GROUP:
                    is_told = compared["to"] == "baseline"
                    found.number = None if is_told else self.units[unit].given.get(code, Given()).reference
                    if not is_told and found.number is None:
                        found.number = _before(self.scoring, one, counts[unit])
                    found.number = beside.set_down(compared) if found.number is None else found.number
                self.held[unit][code] = found


def _before(scoring, one: dict, counts: dict[str, oracle.Count]) -> Fraction | None:
    """The value of the period before."""
    then = {
        part["code"]: oracle.Count([counts[part["code"]].before[0][0]], counts[part["code"]].before[0][1])
        for part in oracle.rows_of([one])
        if part["code"] in counts and counts[part["code"]].before
    }
    if "parts" in one:
        values = {
            part["code"]: scoring.value(part, then.get(part["code"], oracle.Count()))  # of a count nothing told is 0
            for part in one["parts"]
        }
        return wholes.made(one, values) if then else None
    return scoring.value(one, then[one["code"]]) if then else None


def _may_rank(scoring, told: dict, table: list[dict], counts: dict[str, oracle.Count], group: str) -> bool:
    """Whether as many rows were judged as the scheme asks for, by what carries points."""
    judged = []
    for item in table:
        if not oracle.exact(item["points"]):
            continue
        for one in oracle.rows_of([item]):
            if "parts" in one or not oracle.judges(one) or scoring.value(one, counts[one["code"]]) is None:
                continue
            if "measure" not in one:
                judged.append(oracle.ENOUGH)
            elif rows := oracle.pooled(one, counts[one["code"]])[1]:
                judged.append(rows)
    least = oracle.in_force(told["publication"].get("min_n"), group, DAY)
    return bool(judged) and max(judged) >= oracle.exact(least or 0)


def _count(indicator: dict, unit: str, units: dict[str, UnitCounts]) -> oracle.Count:
    code, of = indicator["code"], units[unit]
    if "parts" in indicator:
        return oracle.Count()
    told, aggregate = of.given[code], indicator.get("aggregate", "rate")
    before = [(one.numerator, one.denominator) for one in told.before]
    if "measure" not in indicator:
        return oracle.Count(entered=told.value)
    if aggregate in ("median", "p90"):
        return oracle.Count([told.value] if told.denominator else [], told.denominator, before=before)
    below = told.denominator
    if aggregate == "share":
        below = sum(peer.given[code].numerator for peer in units.values() if peer.peer_group == of.peer_group)
    return oracle.Count([told.numerator], Fraction(below), before=before)


@dataclass
class Split:
    """The SQL by which the last score run told each row what it cost, on tables that the caller fills."""

    connection: psycopg.Connection
    compiled: Path

    def rows(self, scored: list[ScoredUnit], missed: Sequence[Missed]) -> dict[tuple[str, str, str], dict]:
        """The rows of evidence by unit, indicator and subject. Nothing is left behind."""
        key = {"scheme_id": "drawn", "scheme_version": "drawn", "period": PERIOD}
        try:
            points = [
                key | {"unit_code": unit.unit, "indicator_code": part.code} | _points(part)
                for unit in scored
                for part in unit.indicators
            ]
            self._fill("fct_unit_indicator", points)
            self._fill("int_scoring__evidence", [key | self._row(one) for one in missed])
            self._fill("fct_evidence", [])
            text = (self.compiled / "fct_evidence.sql").read_text("utf-8")
            self.connection.execute(f"insert into build.fct_evidence {text}")
            with self.connection.cursor(row_factory=dict_row) as cursor:
                found = cursor.execute("select * from build.fct_evidence").fetchall()
            return {(row["unit_code"], row["indicator_code"], row["subject_id"]): row for row in found}
        finally:
            self.connection.rollback()

    @staticmethod
    def _row(one: Missed) -> dict:
        told = {"unit_code": one.unit, "indicator_code": one.indicator.code, "missed_by": one.missed_by}
        told |= {"numerator_value": one.numerator, "denominator_value": one.denominator}
        return told | {"subject_kind": "assignment", "subject_id": one.subject}

    def _fill(self, table: str, rows: list[dict]) -> None:
        self.connection.execute(f"delete from build.{table}")
        for row in rows:
            names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
            self.connection.execute(f"insert into build.{table} ({names}) values ({marks})", row)


def _points(part) -> dict:
    told = {"numerator": part.numerator or 0, "denominator": part.denominator or 0, "is_external_denominator": False}
    return told | {"points": part.points, "points_max": part.points_max}


@pytest.fixture(scope="module")
def split(october) -> Iterator[Split]:
    compiled = october.settings.home / "dbt" / "target" / "compiled" / "minhu" / "models" / "scoring" / "points"
    with database.connect(october.settings) as connection:
        yield Split(connection, compiled)


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
def per(draw: st.DrawFn, points: int) -> dict:
    """Points for each so much beyond a line."""
    told = {"function": "per", draw(st.sampled_from(["below", "above"])): draw(parameters(numbers(0, 100)))}
    told[draw(st.sampled_from(["deduct", "add"]))] = draw(parameters(numbers(1, 3)))
    told |= draw(st.sampled_from([{}, {"size": draw(parameters(numbers(1, 9)))}]))
    told["count"] = draw(st.sampled_from(["exact", "whole", "started"]))
    told |= draw(st.sampled_from([{}, {"free": draw(parameters(numbers(0, 5))), "then": "rest"}]))
    told["then"] = draw(st.sampled_from(["rest", "each"]))
    told |= draw(st.sampled_from([{}, {"cap": draw(numbers(1, points or 9))}]))
    return told | draw(st.sampled_from([{}, {"floor": "0"}, {"floor": "-2.5"}]))


@st.composite
def event(draw: st.DrawFn, is_rate: bool) -> dict:
    """What happened, and what it does to the whole."""
    told = {"function": "event"}
    if is_rate:
        told["below"] = draw(parameters(numbers(1, 99)))
    else:
        told |= draw(st.sampled_from([{}, {"at_least": draw(parameters(numbers(1, 4)))}]))
    told |= draw(
        st.sampled_from(
            [
                {"score_at_most": draw(parameters(numbers(0, 90)))},
                {"score_at_most": 0},
                {"band_at_most": "差"},
                {"band_at_most": "差", "ranked": False},
                {"band_at_most": "好", "score_at_most": 0},
                {"ranked": False},
                {"ranked": False, "score_at_most": draw(numbers(0, 90))},
            ]
        )
    )
    return told


@st.composite
def indicators(draw: st.DrawFn, number: int) -> dict:
    kind = draw(
        st.sampled_from(
            [
                "rate",
                "rate",
                "rate",
                "count",
                "count",
                "count",
                "share",
                "weighted",
                "quantile",
                "per_10k",
                "manual",
                "manual",
            ]
        )
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
    steps |= draw(st.sampled_from([{}, {"between": "linear"}]))
    item = {"per_item": draw(parameters(numbers(1, 4)))}
    if kind in ("rate", "count", "manual") and draw(st.integers(0, 4)) == 0:
        told |= {"points": 0, "scoring": draw(event(kind == "rate"))}
        told["when_empty"] = "left_out"
    elif kind in ("rate", "count", "weighted", "quantile", "per_10k") and draw(st.integers(0, 3)) == 0:
        told["points"] = draw(st.sampled_from([0, points]))
        told["when_empty"] = draw(st.sampled_from(["left_out", "zero"]))
        told["scoring"] = draw(per(told["points"]))
    elif kind == "count":
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
        told["scoring"] |= draw(st.sampled_from([{}, {"times": "0.4"}, {"times": "1/15"}]))
        told["ranks"] = draw(st.sampled_from([True, True, False]))
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


CHANGED = {"measure": "violation_not_handled", "moment": "occurred_at", "aggregate": "count"}
RATED = {"measure": "close_on_time", "moment": "due_at"}
LASTING = {"measure": "working_minutes", "moment": "closed_at", "aggregate": "median"}
FOR_PEOPLE = {"measure": "demand_per_10k", "moment": "received_at", "aggregate": "per_10k"}
WEIGHED = {
    "measure": "satisfaction",
    "moment": "called_at",
    "aggregate": "mean",
    "answers": {"weights": {"satisfied": 1, "dissatisfied": 0}},
}


@st.composite
def part(draw: st.DrawFn, code: str, function: str | None, is_rate: bool) -> dict:
    """A part: weighed where the item makes one value, or adding and taking by itself."""
    told = {"code": code, "name_zh": code} | (RATED if is_rate else CHANGED)
    if draw(st.integers(0, 3)) == 0:
        told["peer_groups"] = [draw(st.sampled_from(GROUPS))]
    if function == "product":
        told["scoring"] = {"function": "weighed"}
    elif function == "sum":
        weight = draw(st.sampled_from([1, "0.1", "0.45", "1/15", "2/3", "0.3", "-0.2", "-1/3", "-1/3"]))
        told["scoring"] = {"function": "weighed", "weight": weight}
    elif not is_rate and draw(st.integers(0, 2)) == 0:
        of_items = draw(st.sampled_from(["per_item_deduction", "per_item_bonus"]))
        told["scoring"] = {"function": of_items, "per_item": draw(numbers(1, 4)), "cap": draw(numbers(1, 9))}
    elif draw(st.integers(0, 3)) == 0:
        told = {"code": code, "name_zh": code}
        told["scoring"] = {"function": "manual", "entry": "change", "floor": -5, "cap": 7}
    else:
        told["scoring"] = draw(per(0))
    if function and is_rate:
        told["when_empty"] = draw(st.sampled_from(["left_out", "left_out", "full_points", "zero"]))
    if is_rate and "measure" in told and draw(st.integers(0, 4)) == 0:
        told["min_n"] = draw(st.integers(1, 4))
    if "measure" in told and told["scoring"]["function"] == "per" and draw(st.integers(0, 3)) == 0:
        told |= draw(compared(0, is_combined=not is_rate))
    elif is_rate and "measure" in told and draw(st.integers(0, 3)) == 0:
        told["pooled"] = {"below": draw(st.integers(2, 9)), "at_most": draw(st.integers(1, 3))}
    return told


@st.composite
def wholes_of_parts(draw: st.DrawFn, number: int) -> dict:
    """An item of parts."""
    code, points = f"whole_{number}", draw(st.integers(2, 40))
    told = {"code": code, "name_zh": code, "points": points}
    told["when_empty"] = draw(st.sampled_from(["left_out", "full_points", "zero"]))
    made = draw(st.sampled_from([None, None, "sum", "sum", "product"]))
    is_rate = made != "sum" or draw(st.integers(0, 3)) > 0
    many = draw(st.integers(1, 3))
    parts = [draw(part(f"{code}_{no}", made, is_rate if made else draw(st.booleans()))) for no in range(many)]
    if made is None:
        bounds = draw(st.sampled_from([{}, {}, {"floor": "1.5"}]))
        together = [{"starts": "full"} | bounds, {"starts": "zero"}, {"starts": "zero", "cap": str(points - 1)}]
        together += [together[0], together[-1]]
        told["scoring"] = {"function": "together"} | draw(st.sampled_from(together))
        if draw(st.integers(0, 3)) == 0:
            told["points"] = 0
            told["scoring"] = {"function": "together"} | draw(
                st.sampled_from([{}, {"floor": -3}, {"floor": "-2.5", "cap": 1}])
            )
            told["when_empty"] = "left_out"
    else:
        told["combine"] = made
        linear = {"function": "linear_deduction", "target": draw(numbers(1, 100)), "per_point": draw(numbers(1, 2))}
        linear["better"] = draw(st.sampled_from(["higher", "lower"]))
        rules = [{"function": "proportional", "target": draw(numbers(1, 100))}, linear, draw(per(points))]
        told["scoring"] = draw(st.sampled_from(rules)) if is_rate else draw(per(points))
        if draw(st.integers(0, 2)) == 0:
            told |= draw(compared(points, is_combined=True))
    return told | {"parts": parts}


@st.composite
def compared(draw: st.DrawFn, points: int, is_combined: bool = False) -> dict:
    """What a value is held against, and a rule that reads what comes of it."""
    to = draw(st.sampled_from(REFERENCES if not is_combined else [one for one in REFERENCES if one != "group_rate"]))
    told: dict = {"to": to}
    if to == "group_rank":
        told |= {"better": draw(st.sampled_from(["higher", "lower"]))}
        told |= draw(st.sampled_from([{"ties": "dense"}, {"ties": "shared"}, {"ties": "dense"}, {"ties": "last"}]))
    else:
        told["as"] = draw(st.sampled_from(["difference", "change", "ratio"]))
    if to == "group_best":
        told["better"] = draw(st.sampled_from(["higher", "lower"]))
    if to.startswith("group"):
        told |= draw(st.sampled_from([{"at_least": 2}, {"at_least": 3}, {"at_least": 4}, {}]))
    elif to == "baseline" or draw(st.booleans()):
        told["baseline"] = draw(parameters(numbers(0, 100)))
    return {"compared": told, "scoring": draw(per(points))}


REFERENCES = ["group_mean", "group_median", "group_best", "group_rate", "group_rank", "group_rank"]
REFERENCES += ["group_rate", "group_rate", "group_rank", "previous", "year_before", "baseline"]


@st.composite
def related(draw: st.DrawFn, number: int) -> dict:
    """A rate or a count beside others, or few rows with those of before."""
    code, points = f"related_{number}", draw(st.integers(2, 40))
    told = {"code": code, "name_zh": code, "points": points}
    told["when_empty"] = draw(st.sampled_from(["left_out", "full_points", "zero"]))
    if draw(st.integers(0, 4)) == 0:
        pool = {"below": draw(st.integers(2, 9)), "at_most": draw(st.integers(1, 3))}
        told |= draw(st.sampled_from([RATED, WEIGHED])) | {"pooled": pool, "scoring": {"function": "proportional"}}
        return told | draw(st.sampled_from([{}, {"min_n": 3}]))
    told |= draw(st.sampled_from([RATED, RATED, WEIGHED, CHANGED, LASTING, FOR_PEOPLE]))
    return told | draw(compared(points, is_combined=told.get("aggregate") in ("count", "median")))


@st.composite
def schemes(draw: st.DrawFn) -> dict:
    count = draw(st.integers(1, 5))
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
    return {
        "id": "drawn",
        "title": "随机办法",
        "legal_basis": [{"title": "drawn for the test"}],
        "valid_from": "2026-01-01",
        "periods": {"month": "final"},
        "peer_groups": [
            {"code": code, "name_zh": code, "points": draw(st.sampled_from(["100", "4.5", "150", "0.333"]))}
            for code in GROUPS
        ],
        "indicators": [
            everywhere,
            *(draw(indicators(number)) for number in range(count)),
            *(draw(wholes_of_parts(number)) for number in range(draw(st.integers(0, 2)))),
            *(draw(related(number)) for number in range(draw(st.integers(0, 3)))),
        ],
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


@st.composite
def counted(draw: st.DrawFn, scheme: Scheme) -> dict[str, UnitCounts]:
    units = {}
    for number in range(draw(st.integers(1, 9))):
        known = {}
        for indicator in scheme.lines:
            if indicator.is_whole:
                continue
            below = draw(st.sampled_from([0, 1, 2, 3, 6, 7, 12, 2000, 100_003]))
            above = Fraction(draw(st.integers(0, below)))
            if indicator.is_manual:
                entered = draw(st.one_of(st.none(), st.integers(-900, 900)))
                known[indicator.code] = Given(value=None if entered is None else Fraction(entered, 100))
            elif indicator.aggregate in ("median", "p90"):
                known[indicator.code] = Given(above * below, Fraction(below), above if below else None)
            elif indicator.aggregate == "share":
                known[indicator.code] = Given(above)
            elif indicator.aggregate == "mean":
                known[indicator.code] = Given(above * Fraction(draw(st.integers(0, 10)), 10), Fraction(below))
            else:
                known[indicator.code] = Given(above, Fraction(below))
            if _asks_before(scheme, indicator):
                before = draw(st.lists(st.sampled_from([(0, 0), (1, 2), (3, 3), (2, 7), (0, 4)]), max_size=4))
                earlier = tuple(
                    Earlier(f"2026-0{9 - no}", Fraction(above), Fraction(below))
                    for no, (above, below) in enumerate(before)
                )
                told: dict = {"before": earlier}
                if indicator.aggregate == "median":  # of one of before its value is all that is known
                    told = {"reference": draw(st.sampled_from([None, Fraction(0), Fraction(7), Fraction(700)]))}
                known[indicator.code] = replace(known[indicator.code], **told)
        units[f"u{number}"] = UnitCounts(draw(st.sampled_from([*GROUPS, GROUPS[0]])), known, has_case=False)
    return units


def _asks_before(scheme: Scheme, line: Line) -> bool:
    with_what = line.compared or scheme.wholes[line.code].compared
    return line.pooled is not None or (with_what is not None and with_what.is_earlier)


@st.composite
def fallen_short(draw: st.DrawFn, scheme: Scheme, units: dict[str, UnitCounts]) -> list[Missed]:
    """Rows that cost points, no more than were counted."""
    found = []
    for unit, of in units.items():
        for indicator in scheme.lines:
            if indicator.is_whole:
                continue
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


NUMBERS = (
    *("value", "points_max", "points", "wilson_low", "wilson_high", "funnel_flag", "shrunken_value"),
    *("reference", "compared_value", "pooled_numerator", "pooled_denominator"),
)
RESULTS = (*("raw_points", "score_100", "assessed_points", "band", "rank_in_group", "not_ranked_reason", "listed_on"),)


@settings(
    max_examples=200,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_both_paths_agree_to_the_last_digit(split, data):
    told = data.draw(schemes())
    scheme = Scheme.model_validate(told)
    units = data.draw(counted(scheme))
    second = SecondPath(told, units)
    of_indicator, of_unit = second.results()
    scored = tally(scheme, DAY, units)
    for unit in scored:
        for part in unit.indicators:
            row = of_indicator.pop((unit.unit, part.code))
            assert {name: getattr(part, name) for name in NUMBERS} == {name: row[name] for name in NUMBERS}, part.code
        row = of_unit.pop(unit.unit)
        assert {name: getattr(unit, name) for name in RESULTS} == {name: row[name] for name in RESULTS}
    assert not of_unit and not of_indicator
    missed = data.draw(fallen_short(scheme, units))
    _judge_rows(scheme, second, scored, missed, split.rows(scored, missed))


CONSTRUCTS = (
    *("proportional", "linear_deduction", "per_item_deduction", "per_item_bonus", "steps", "manual", "per", "event"),
    *("below", "above", "deduct", "add", "size", "free", "cap", "floor", "exact", "whole", "started", "rest", "each"),
    *("linear", "times", "ranks", "min_n", "peer_groups", "from", "score_at_most", "band_at_most", "at_least"),
    *(
        "parts",
        "together",
        "starts",
        "zero",
        "weighed",
        "weight",
        "1/15",
        "-1/3",
        "sum",
        "product",
        "compared",
        "baseline",
    ),
    *("group_mean", "group_median", "group_best", "group_rate", "group_rank", "previous", "year_before", "pooled"),
    *("difference", "change", "ratio", "ties", "shared", "dense", "last", "better", "at_most"),
    *("starts full", "starts zero", "together floor", "together cap", "combine sum", "combine product"),
    *("weighed weight", "compared at_least", "compared better", "compared baseline"),
    *("pooled below", "pooled at_most", "part peer_groups", "part when_empty", "part min_n", "part compared"),
    *("part pooled", "part count", "part rate"),
)
"""What a drawn scheme may be made of: each is met at least 20 times."""


def _constructs(told: object) -> Iterator[str]:
    """Keys and words of a scheme, as often as they stand in it; and, of a word that is said of several things, which
    word stands where: ``starts zero`` and ``when_empty zero``, ``together floor`` and ``per floor``."""
    if isinstance(told, dict):
        for key, value in told.items():
            if value is not False:
                yield key
            if isinstance(value, str):
                yield f"{key} {value}"
            if key in ("compared", "pooled"):
                yield from (f"{key} {one}" for one in value)
            if key == "parts":
                yield from (f"part {one}" for part in value for one in (*part, part.get("aggregate", "rate")))
            if "function" in told and key != "function":
                yield f"{told['function']} {key}"
            yield from _constructs(value)
    elif isinstance(told, list):
        for one in told:
            yield from _constructs(one)
    elif isinstance(told, str):
        yield told


def test_each_construct_is_drawn_often():
    """What is drawn depends on the modules that are loaded, too: of 2,000 draws at most."""
    found: Counter[str] = Counter()

    def rare() -> dict[str, int]:
        return {name: found[name] for name in CONSTRUCTS if found[name] < 20}

    for number in range(4):

        @seed(number)
        @settings(max_examples=500, database=None, deadline=None, phases=[Phase.generate])
        @given(told=schemes())
        def draw(told):
            found.update(_constructs(told))

        draw()
        if not rare():
            break
    assert rare() == {}


def _judge_rows(scheme, second, scored, missed, rows_of):
    """What each row cost, in fractions; what it is worth by itself takes what it counts from the count."""
    of_part, units = defaultdict(list), second.units
    counted, whole_of = with_group_counts(scheme, units), {unit.unit: unit for unit in scored}
    against = references(scheme, DAY, counted)
    parts = {(unit.unit, part.code): part for unit in scored for part in unit.indicators}
    for one in missed:
        of_part[one.unit, one.indicator.code].append(one)
    for place, rows in of_part.items():
        part, indicator, of = parts[place], rows[0].indicator, units[place[0]]
        lost = max(part.points_max - part.points, Decimal()) if part.points is not None else Decimal()
        costs = split_loss(lost, ((one.subject, one.missed_by) for one in rows))
        lines = scheme.wholes[indicator.code].lines
        known = {line.code: counted[place[0]].given.get(line.code, Given()) for line in lines}
        beside_what = {line.code: against[place[0], line.code] for line in lines if (place[0], line.code) in against}
        points = whole_of[place[0]].points_of([line.code for line in lines])
        marginal = Marginal(scheme, indicator, of.peer_group, Period.parse(PERIOD), points, known, beside_what)
        for one in rows:
            assert rows_of.pop((*place, one.subject))["lost_points"] == costs[one.subject], (indicator, one)
            below = Fraction(part.denominator or 0) - Fraction(
                {"share": one.numerator, "per_10k": 0}.get(indicator.aggregate, one.denominator)
            )
            own = of.given[indicator.code]
            without = replace(own, numerator=Fraction(part.numerator) - Fraction(one.numerator), denominator=below)
            expected = second.points(place[0], indicator.code, without)
            worth = None if expected is None or points is None else expected - points
            assert marginal.without_row(one.numerator, one.denominator) == worth, (indicator, one)
    assert not rows_of


# Worked examples


def scheme_of(*indicators: dict, groups: Sequence[str] = ("city",), **more: object) -> Scheme:
    return Scheme.model_validate(
        {
            "id": "drawn",
            "title": "手算",
            "legal_basis": [{"title": "made up for the tests"}],
            "valid_from": "2021-01-01",
            "periods": {"month": "final"},
            "peer_groups": [{"code": code, "name_zh": code, "points": 100} for code in groups],
            "indicators": indicators,
            **more,
        }
    )


def rate(code: str, points: object, scoring: dict, **more: object) -> dict:
    told = {"code": code, "name_zh": code, "measure": "close_on_time", "moment": "due_at", "points": points}
    return told | {"scoring": scoring} | more


SIGNED = {"function": "linear_deduction", "target": 95, "per_point": 1}
SATISFIED = {"function": "linear_deduction", "target": 98, "per_point": "0.5", "floor": "12.5"}
RETURNS = {"function": "linear_deduction", "target": 2, "per_point": 1, "better": "lower"}
FINED = {"function": "per_item_deduction", "per_item": 5, "cap": 12}
PRAISED = {"function": "per_item_bonus", "per_item": "0.5", "cap": 2}
FOUND = {"measure": "violation_not_handled", "moment": "occurred_at", "aggregate": "count"}


@pytest.mark.parametrize(
    ("indicator", "counted", "value", "points", "interval"),
    [
        (rate("sign", 10, SIGNED), (6, 7), "85.7143", "0.71", ("0.4869", "0.9743")),  # 铁塔 2021-08
        (rate("close", 20, SIGNED), (5, 6), "83.3333", "8.33", ("0.4365", "0.9699")),
        (rate("close", 20, SIGNED), (4, 5), "80.0000", "5.00", ("0.3755", "0.9638")),  # 碱业 2021-07
        (rate("satisfied", 25, SATISFIED), (3, 4), "75.0000", "13.50", ("0.3006", "0.9544")),
        (rate("satisfied", 25, SATISFIED), (5, 7), "71.4286", "12.50", ("0.3589", "0.9178")),  # the floor
        (rate("satisfied", 25, SATISFIED), (7, 8), "87.5000", "19.75", ("0.5291", "0.9776")),
        (rate("half", 30, {"function": "proportional"}), (853, 2000), "42.6500", "12.80", ("0.4050", "0.4483")),
        # 10 − 0.015 × (95 − 33.33…) is 9.075 exactly
        (rate("third", 10, SIGNED | {"per_point": "0.015"}), (1, 3), "33.3333", "9.08", ("0.0615", "0.7923")),
        (rate("beyond", 25, {"function": "proportional", "target": 90}), (19, 20), "95.0000", "25.00", None),
        (rate("returns", 10, RETURNS), (1, 40), "2.5000", "9.50", ("0.0044", "0.1288")),
        (rate("returns", 10, RETURNS), (0, 40), "0.0000", "10.00", ("0.0000", "0.0876")),
        (rate("nothing_due", 10, SIGNED), (0, 0), None, None, None),
        (rate("fines", 0, FINED, **FOUND), (3, 3), 3, "-12", None),
        (rate("fines", 0, FINED, **FOUND), (0, 0), 0, "0", None),
        (rate("bonus", 0, PRAISED, **FOUND), (3, 3), 3, "1.5", None),
        (rate("weighed", 40, {"function": "proportional"}, **WEIGHED), ("2.4", 4), "60.0000", "24.00", None),
    ],
)  # fmt: skip
def test_points_come_out_as_published_and_a_half_goes_up(indicator, counted, value, points, interval):
    base = rate("base", 1, {"function": "proportional"})
    scheme = scheme_of(base, indicator)
    above, below = map(Fraction, counted)
    (unit,) = tally(scheme, DAY, {"u": UnitCounts("city", {indicator["code"]: Given(above, below)})})
    part = unit.indicator(indicator["code"])
    assert part.value == (None if value is None else Decimal(value))
    assert part.points == (None if points is None else Decimal(points))
    if interval:
        assert (part.wilson_low, part.wilson_high) == tuple(map(Decimal, interval))


SCORED = {  # on_time of 60, answers of 30, intake of 10, fines; what comes out
    "best": ("city", (60, 30, 10, 0), ("100.00", "100.00", "4.50", "优秀", 1, None)),
    "tower": ("city", ("39.04", 29, 10, 0), ("78.04", "78.04", "3.51", "良好", 2, None)),  # 铁塔
    "tower_too": ("city", ("39.04", 29, 10, 0), ("78.04", "78.04", "3.51", "良好", 2, None)),
    "half": ("city", (45, None, None, 0), ("45.00", "75.00", "3.38", "不合格", 4, None)),
    "fined": ("town", (45, None, None, -12), ("33.00", "63.00", "1.26", "不合格", 1, None)),
    "worse": ("town", (5, None, None, -12), ("-7.00", "0.00", "0.00", "不合格", 2, None)),
    "due_later": ("town", (None, None, 10, 0), ("10.00", None, None, None, None, "nothing_due")),
    "resting": ("town", (None, None, None, 0), (None, None, None, None, None, "no_case")),
}


def test_a_score_is_earned_of_what_applied_less_deductions():
    """half: only 60 of 100 points applied, 45 earned. fined: 45 of 60, less 12 of 100. worse: less than nothing is
    nothing. due_later: a case came in, none was due: listed, not ranked. resting: no case."""
    fines = rate("fines", 0, {"function": "per_item_deduction", "per_item": 12, "cap": 12}, **FOUND)
    intake = {"measure": "intake", "moment": "received_at", "aggregate": "share"}
    proportional = {"function": "proportional"}
    scheme = scheme_of(
        rate("on_time", 60, proportional),
        rate("answers", 30, proportional),
        rate("intake", 10, proportional, **intake),
        fines,
        groups=("city", "town"),
        peer_groups=[
            {"code": "city", "name_zh": "市", "points": "4.5"},
            {"code": "town", "name_zh": "镇", "points": 2},
        ],
        bands=[
            {"name_zh": "优秀", "at_least": 90},
            {"name_zh": "良好", "at_least": "78.04"},
            {"name_zh": "不合格", "at_least": 0},
        ],
    )
    units = {}
    for unit, (group, points, _) in SCORED.items():
        given = {}
        for indicator, gained in zip(scheme.indicators, points, strict=True):
            if indicator.code == "fines":
                given["fines"] = Given(Fraction(-gained, 12), Fraction(-gained, 12))
            elif gained is not None:
                full = indicator.points[0].value
                given[indicator.code] = Given(Fraction(gained) * 10, Fraction(full) * 10)
            elif indicator.code == "intake":
                given["intake"] = Given(Fraction(), Fraction())
        units[unit] = UnitCounts(group, given, has_case=unit != "resting")
    names = ("raw_points", "score_100", "assessed_points", "band", "rank_in_group", "not_ranked_reason")
    for unit in tally(scheme, DAY, units):
        told = [getattr(unit, name) for name in names]
        numbers = [None if number is None else Decimal(number) for number in SCORED[unit.unit][2][:3]]
        assert told == [*numbers, *SCORED[unit.unit][2][3:]], unit.unit


def test_a_rate_is_drawn_towards_its_peers_by_as_much_as_chance_explains():
    """10, 50 and 90 of 100: 32 of squares, 0.5 expected, so 0.1575 between units against 0.0025 of chance."""
    scheme = scheme_of(rate("on_time", 100, {"function": "proportional"}), groups=GROUPS)
    counts = {"low": (10, 100), "middle": (50, 100), "high": (90, 100), "none": (0, 0)}
    units = {
        unit: UnitCounts("group_a", {"on_time": Given(Fraction(above), Fraction(below))})
        for unit, (above, below) in counts.items()
    }
    units["alone"] = UnitCounts("group_b", {"on_time": Given(Fraction(3), Fraction(4))})
    scored = {unit.unit: unit.indicator("on_time") for unit in tally(scheme, DAY, units)}
    assert {unit: part.shrunken_value for unit, part in scored.items()} == {
        "low": Decimal("10.625"),
        "middle": Decimal(50),
        "high": Decimal("89.375"),
        "none": None,
        "alone": Decimal(75),
    }
    assert scored["low"].points == Decimal("10.00")
