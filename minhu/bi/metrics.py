"""Metrics, from the words of the measures: who asks a rate by name gets sum over sum, and what it counts."""

from minhu.bi.declared import COUNT, RATE, Metric
from minhu.schemes.catalogue import Measure, measures


def counted(name: str, zh: str, en: str, column: str | None = None, about: str = "") -> Metric:
    return Metric(name, zh, en, f"sum({column or name})", COUNT, about)


def ratio(above: str, below: str) -> str:
    """A rate over any rows; null where nothing counts."""
    return f"({above})::numeric / nullif({below}, 0)"


def of_pairs(kind: str) -> tuple[Metric, ...]:
    """The rates of the assignments or callbacks, over the pairs of their wide mart."""
    return tuple(
        _rate(one, ratio(f"sum({one.pair}_n)", f"sum({one.pair}_of)"), f"{one.pair}_on")
        for one in _paired()
        if one.is_of_callbacks == (kind == "callback")
    )


def of_days() -> tuple[Metric, ...]:
    """The same over `mart.agg_rate`."""
    return tuple(
        _rate(
            one,
            ratio(*(f"sum({part}) filter (where pair = '{one.pair}')" for part in ("numerator", "denominator"))),
            "day_on",
        )
        for one in _paired()
    )


def of_scores() -> tuple[Metric, ...]:
    """The same over `mart.score_wide`: what is published, else as scored last."""
    return tuple(
        _rate(
            one,
            ratio(
                *(f"sum({part}) filter (where measure_code = '{one.code}')" for part in ("numerator", "denominator"))
            ),
            "period_on",
        )
        for one in _paired()
    )


def _paired() -> list[Measure]:
    return [one for one in measures().values() if one.pair]


def _rate(measure: Measure, sql: str, day: str) -> Metric:
    about = f"{measure.formula_zh}。按考核办法口径，计入日期为 {day}。"
    return Metric(f"{measure.pair}_rate", measure.name_zh, measure.name_en, sql, RATE, about)
