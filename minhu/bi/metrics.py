"""Metrics, from the words of the measures: who asks a rate by name gets sum over sum, and what it counts."""

from minhu.bi.declared import COUNT, RATE, Metric
from minhu.schemes.catalogue import Measure, measures


def counted(name: str, zh: str, en: str, column: str | None = None, about: str = "") -> Metric:
    return Metric(name, zh, en, f"sum({column or name})", COUNT, about)


def ratio(above: str, below: str) -> str:
    """A rate over any rows; null where nothing counts."""
    return f"({above})::numeric / nullif({below}, 0)"


def of_pairs(kind: str) -> tuple[Metric, ...]:
    """The rates of the assignments or callbacks, over the pairs of their wide mart, with both sides of each."""
    return tuple(
        metric
        for one in _paired()
        if one.is_of_callbacks == (kind == "callback")
        for metric in _told(one, f"sum({one.pair}_n)", f"sum({one.pair}_of)", f"{one.pair}_on")
    )


def of_days() -> tuple[Metric, ...]:
    """The same over `mart.agg_rate`."""
    return tuple(
        metric
        for one in _paired()
        for metric in _told(
            one,
            *_sides(f"pair = '{one.pair}'"),
            "day_on",
        )
    )


def of_scores() -> tuple[Metric, ...]:
    """The same over `mart.score_wide`: what is published, else as scored last."""
    return tuple(
        metric
        for one in _paired()
        for metric in _told(
            one,
            *_sides(f"measure_code = '{one.code}'"),
            "period_on",
        )
    )


def _sides(where: str) -> tuple[str, str]:
    """Numerator and denominator of the rows of one measure."""
    return f"sum(numerator) filter (where {where})", f"sum(denominator) filter (where {where})"


def _paired() -> list[Measure]:
    return [one for one in measures().values() if one.pair]


def _told(measure: Measure, above: str, below: str, day: str) -> tuple[Metric, ...]:
    """A rate and both sides of it: who shows them beside each other need not know that rows hold other rates, too."""
    scope = f"按考核办法口径，只计其考评的单位，计入日期为 {day}；考核办法不设此指标的为空。"
    zh, en, pair = measure.name_zh, measure.name_en, measure.pair
    return (
        Metric(f"{pair}_rate", zh, en, ratio(above, below), RATE, f"{measure.formula_zh}。{scope}"),
        Metric(f"{pair}_above", f"{zh}·分子", f"{en}: numerator", above, COUNT, scope),
        Metric(f"{pair}_below", f"{zh}·分母", f"{en}: denominator", below, COUNT, scope),
    )
