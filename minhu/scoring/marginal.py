"""What a row is worth by itself: the indicator's points without it, less the points with it. Exact, in fractions.

Marginal values are told apart from the split of the loss and need not add up: under a cap or a floor the absence of one
row changes nothing, and of a step only the row that crosses it counts. Scoring writes those of rows into
``mart.fct_evidence``; ``dbt_project/models/scoring/fct_evidence.sql`` says there what this says in fractions.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from minhu.schemes.counts import NOTHING, Given
from minhu.schemes.language.count import QUANTILES
from minhu.schemes.language.indicator import Line
from minhu.schemes.lines import points_of
from minhu.schemes.period import Period
from minhu.schemes.reference import Reference
from minhu.schemes.scheme import Scheme

MEAN_OF_PARTS = "本期得分是各短周期得分的平均"


class Marginal:
    """The marginal values of the rows of one line of a unit. Rows that count alike are scored once.

    ``given``: what was counted of the unit, of this line and of those that make an indicator with it. ``related``: what
    its values are held against; what other units and earlier periods made of these stays as it is. ``points``: those of
    the whole indicator.
    """

    def __init__(
        self,
        scheme: Scheme,
        line: Line,
        peer_group: str,
        period: Period,
        points: Decimal | None,
        given: Mapping[str, Given],
        related: Mapping[str, Reference] | None = None,
    ):
        self.scheme, self.line, self.peer_group = scheme, line, peer_group
        self.day = scheme.first_day(period)
        self.points, self.given, self.related = points, given, related or {}
        self.is_mean_of_parts = scheme.parts(period) is not None
        self.known: dict[tuple[Decimal, Decimal], Decimal | None] = {}

    def without_row(self, numerator: Decimal, denominator: Decimal) -> Decimal | None:
        """The change of points without a row that counts so much; None where there is none (``why_not``)."""
        counted = (numerator, denominator)
        if counted not in self.known:
            self.known[counted] = self._without(*counted)
        return self.known[counted]

    @property
    def why_not(self) -> str:
        """Why a row of the line has no marginal value, where it has none."""
        if self.is_mean_of_parts:
            return MEAN_OF_PARTS
        if self.line.aggregate in QUANTILES:
            return "中位数、分位数不由单件增减"
        return "无此件则本指标无可评事项"

    def without_entry(self, left: list[Decimal]) -> tuple[Decimal | None, str | None]:
        """The change of points if only the entries ``left`` had been made by hand, the newest last; or why none."""
        given = Given()
        if left:
            given = Given(value=Fraction(sum(left) if self.line.takes_changes else left[-1]))
        worth = self._against(given)
        if worth is not None:
            return worth, None
        return None, MEAN_OF_PARTS if self.is_mean_of_parts else "无此条则本指标未评分"

    def _without(self, numerator: Decimal, denominator: Decimal) -> Decimal | None:
        if self.line.aggregate in QUANTILES:
            return None
        if self.line.aggregate == "share":
            denominator = numerator
        elif self.line.aggregate in ("per_10k", "per"):
            denominator = Decimal(0)
        own = self.given.get(self.line.code, NOTHING)
        above, below = (Fraction(one or 0) for one in (own.numerator, own.denominator))
        return self._against(
            replace(own, numerator=above - Fraction(numerator), denominator=below - Fraction(denominator))
        )

    def _against(self, given: Given) -> Decimal | None:
        if self.is_mean_of_parts:
            return None
        changed = {**self.given, self.line.code: given}
        points = points_of(self.scheme, self.line, self.peer_group, self.day, changed, self.related)
        return None if points is None or self.points is None else points - self.points
