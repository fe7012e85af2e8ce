"""A trial (试算): points from counts that somebody gives, without a database.

The file (CSV or XLSX) has a header and the columns ``unit, peer_group, period, indicator_code, numerator, denominator,
value``.
``value`` is a rate in percent (0–100); of a counted indicator the number of items; of points entered by hand (答复规范)
the points. Counts go before a value; where both are given they must agree. An indicator without a row, or with a row
without numbers, is *empty*: its ``when_empty`` decides, and the result says so. What is held against an earlier period,
or pooled with it, finds that one in the same file.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from minhu.errors import Refused
from minhu.glossary.law import WHEN_EMPTY
from minhu.schemes.arithmetic import half_up
from minhu.schemes.counts import NOTHING, Earlier, Given, UnitCounts
from minhu.schemes.language.count import PLAIN, QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.lines import ScoredIndicator
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.schemes.scheme import PeerGroup, Scheme
from minhu.schemes.tally import ScoredUnit, tally
from minhu.schemes.trial_rows import NUMBERS, rows


@dataclass(frozen=True)
class TriedUnit:
    """A unit in a period: what it would be given. ``assumed``: indicators of which nothing was said."""

    period: str
    peer_group: str
    scored: ScoredUnit
    assumed: tuple[str, ...]

    def as_json(self, scheme: Scheme) -> dict:
        """Numbers as decimal strings. ``total``: the sum of the points; ``assessed_points``: of those of the group."""
        return plain(
            {
                "unit": self.scored.unit,
                "peer_group": self.peer_group,
                "peer_group_code": self.scored.peer_group,
                "period": self.period,
                "total": self.scored.raw_points,
                "score_100": self.scored.score_100,
                "assessed_points": self.scored.assessed_points,
                "group_points": scheme.group(self.scored.peer_group).points,
                "band": self.scored.band,
                "rank_in_group": self.scored.rank_in_group,
                "not_ranked_reason": self.scored.not_ranked_reason,
                "listed_on": self.scored.listed_on,
                "indicators": [self._indicator(part) for part in self.scored.indicators],
            }
        )

    def _indicator(self, part: ScoredIndicator) -> dict:
        return {
            "indicator_code": part.code,
            "points": part.points,
            "points_max": part.points_max,
            "numerator": part.numerator,
            "denominator": part.denominator,
            "value": part.value,
            "wilson_low": part.wilson_low,
            "wilson_high": part.wilson_high,
            "funnel_flag": part.funnel_flag,
            "assumed": part.code in self.assumed,
        }


@dataclass(frozen=True)
class Trial:
    """What a scheme would make of the counts given."""

    scheme: Scheme
    units: tuple[TriedUnit, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, in Chinese: one line for each indicator."""
        told = defaultdict(list)
        for unit in self.units:
            for code in unit.assumed:
                told[code].append(f"{unit.scored.unit}（{unit.period}）")
        return tuple(
            f"{indicator.name_zh}（{indicator.code}）未给出数据，{_assumption(indicator)}：{'、'.join(told[indicator.code])}"
            for indicator in self.scheme.lines
            if indicator.code in told and not indicator.is_whole
        )

    def as_json(self) -> dict:
        return {
            "scheme": self.scheme.scheme_id,
            "scheme_version": self.scheme.scheme_version,
            "units": [unit.as_json(self.scheme) for unit in self.units],
            "notes": list(self.notes),
        }


def try_scheme(scheme: Scheme, inputs: Path) -> Trial:
    """Scores the counts in the file ``inputs``. Raises Refused naming file, line and column."""
    read = _Reader(scheme, inputs)
    for line, row in rows(inputs):
        read.take(line, row)
    if not read.units:
        raise Refused(f"{inputs}:2: no row; a trial needs one for each unit and indicator")
    tried = []
    for period, units in read.units.items():
        day = scheme.first_day(Period.parse(period))
        counts = {
            unit: UnitCounts(given.group.code, _with_earlier(scheme, Period.parse(period), unit, given, read.units))
            for unit, given in units.items()
        }
        for scored in tally(scheme, day, counts, None, Period.parse(period).kind):
            given = units[scored.unit]
            assumed = tuple(part.code for part in scored.indicators if part.is_empty or _is_silent(scheme, part, given))
            tried.append(TriedUnit(period, given.written_group, scored, assumed))
    return Trial(scheme, tuple(tried))


def _with_earlier(
    scheme: Scheme, period: Period, unit: str, told: "_Unit", units: dict[str, dict[str, "_Unit"]]
) -> dict[str, Given]:
    """What was given of a unit, with what the same file gives of the periods before of which its score asks."""
    given = dict(told.given)
    for code, before in scheme.asks_before(period).items():
        known = [(one.text, units.get(one.text, {}).get(unit)) for one in before]
        counted = [(text, one.given[code]) for text, one in known if one is not None and code in one.given]
        earlier = tuple(Earlier(text, *_counts(scheme.indicator(code), one)) for text, one in counted if one != NOTHING)
        if earlier:
            given[code] = replace(given.get(code, NOTHING), before=earlier)
    return given


def _counts(line: Line, given: Given) -> tuple[Fraction, Fraction]:
    """Numerator and denominator, where only the value was given as that of one row."""
    if given.numerator is not None and (given.denominator is not None or line.aggregate in PLAIN):
        return given.numerator, given.denominator if given.denominator is not None else Fraction(1)
    value = given.value if given.value is not None else given.numerator or Fraction()
    return value / (line.scale if line.aggregate not in PLAIN else 1), Fraction(1)


def _is_silent(scheme: Scheme, part: ScoredIndicator, unit: "_Unit") -> bool:
    """Whether nothing was said of an indicator that has points all the same: no item was found, no entry was made."""
    line = scheme.indicator(part.code)
    return unit.given.get(part.code, NOTHING) == NOTHING and line.aggregate != "share" and not line.is_whole


def _assumption(indicator: Line) -> str:
    if indicator.aggregate in PLAIN and not indicator.is_manual:
        return "按 0 件计"
    if indicator.takes_changes:
        return "按无加减分计"
    return WHEN_EMPTY.zh(indicator.when_empty)


@dataclass
class _Unit:
    group: PeerGroup
    written_group: str
    given: dict[str, Given] = field(default_factory=dict)


class _Reader:
    """Reads rows into units by period; what is wrong is told with its line."""

    def __init__(self, scheme: Scheme, path: Path):
        self.scheme, self.path = scheme, path
        self.units: dict[str, dict[str, _Unit]] = defaultdict(dict)

    def take(self, line: int, row: dict[str, str]) -> None:
        period = self._period(line, row["period"])
        if not row["unit"]:
            self._refuse(line, "unit", "is empty")
        group = self._group(line, row["peer_group"])
        unit = self.units[period.text].setdefault(row["unit"], _Unit(group, row["peer_group"] or group.code))
        if unit.group != group:
            self._refuse(line, "peer_group", f"{row['unit']} is in {unit.group.name_zh} in an earlier line")
        code = row["indicator_code"]
        offered = [line.code for line in self.scheme.lines if line.scores(group.code) and not line.is_whole]
        if code not in offered:
            self._refuse(line, "indicator_code", f"{code!r} is none of {', '.join(offered)}")
        if code in unit.given:
            self._refuse(line, "indicator_code", f"{code} of {row['unit']} in {period.text} is given twice")
        unit.given[code] = self._given(line, self.scheme.indicator(code), group, period, row)

    def _period(self, line: int, text: str) -> Period:
        try:
            period = Period.parse(text)
        except Refused as error:
            self._refuse(line, "period", str(error))
        if self.scheme.parts(period):
            self._refuse(line, "period", f"{text} is the mean of shorter periods; give those")
        if not self.scheme.covers(period):
            until = f" until before {self.scheme.valid_to}" if self.scheme.valid_to else ""
            kinds = " and ".join(self.scheme.periods)
            self._refuse(
                line,
                "period",
                f"{text} is not scored: the scheme is in force from {self.scheme.valid_from}{until}, by {kinds}",
            )
        if day := self.scheme.changes_within(period):
            self._refuse(line, "period", f"the numbers of the scheme change on {day}, inside {text}")
        return period

    def _group(self, line: int, named: str) -> PeerGroup:
        groups = self.scheme.peer_groups
        found = groups[0] if not named and len(groups) == 1 else self.scheme.find_group(named)
        if found is None:
            offered = ", ".join(f"{group.code} ({group.name_zh})" for group in groups)
            self._refuse(line, "peer_group", f"{named!r} is none of {offered}")
        return found

    def _given(self, line: int, indicator: Line, group: PeerGroup, period: Period, row: dict[str, str]) -> Given:
        numbers = {name: self._number(line, name, row[name]) for name in NUMBERS}
        given = Given(numbers["numerator"], numbers["denominator"], numbers["value"])
        for name, number in numbers.items():
            if number is not None and number < 0 and not indicator.is_manual:
                self._refuse(line, name, "is below 0")
        if indicator.is_manual:
            return self._manual(line, indicator, group, period, given)
        if indicator.aggregate in PLAIN:
            if given.numerator is not None and given.value not in (None, given.numerator):
                self._refuse(line, "value", f"{row['value']} is not the numerator {row['numerator']}")
        else:
            self._judge_rate(line, indicator, given, row["value"])
        return given

    def _manual(self, line: int, indicator: Line, group: PeerGroup, period: Period, given: Given) -> Given:
        """Points entered by hand are given as what was earned, also where the scheme takes changes; what is multiplied
        (``times``) as it was entered."""
        if given.numerator is not None or given.denominator is not None:
            self._refuse(line, "numerator", f"{indicator.code} is entered by hand: give its points in value")
        if given.value is None:
            return given
        terms = indicator.terms(group.code, self.scheme.first_day(period))
        earned = given.value if indicator.takes_changes else indicator.times * given.value
        if not (terms.floor or 0) <= earned <= (terms.cap or 0):
            self._refuse(line, "value", f"{indicator.code} has points from {terms.floor} to {terms.cap}")
        full = Fraction(terms.points) if indicator.takes_changes else Fraction()
        return Given(value=(earned - full) / indicator.times)

    def _judge_rate(self, line: int, indicator: Line, given: Given, written: str) -> None:
        above, below, value = given.numerator, given.denominator, given.value
        if (above is None) != (below is None) and indicator.aggregate != "share":
            missing = "numerator" if above is None else "denominator"
            self._refuse(line, missing, "is empty: give numerator and denominator, or only value")
        if indicator.is_percent and above is not None and below is not None and above > below:
            self._refuse(line, "numerator", "is above the denominator")
        if indicator.is_percent and value is not None and value > 100:
            self._refuse(line, "value", "is above 100 percent")
        if value is not None and above is not None and below:
            made = indicator.scale * above / (1 if indicator.aggregate in QUANTILES else below)
            self._compare(line, made, written)

    def _compare(self, line: int, made: Fraction, written: str) -> None:
        """A value that is given beside its counts must be what they make, to the decimals that are written."""
        decimals = len(written.rstrip("%").partition(".")[2])
        if half_up(made, decimals) != Decimal(written.rstrip("%")):
            self._refuse(line, "value", f"{written} is not what the counts make: {half_up(made, max(decimals, 2))}")

    def _number(self, line: int, name: str, text: str) -> Fraction | None:
        if not text:
            return None
        try:
            number = Decimal(text.rstrip("%") if name == "value" else text)
        except InvalidOperation:
            self._refuse(line, name, f"{text!r} is no number")
        if not number.is_finite() or abs(number.adjusted()) > 12:
            self._refuse(line, name, f"{text!r} is no number that can be counted with")
        return Fraction(number)

    def _refuse(self, line: int, column: str, why: str) -> NoReturn:
        raise Refused(f"{self.path}:{line}: {column}: {why}")
