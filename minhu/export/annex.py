"""An annex of the bulletin: why a unit lost its points, down to case numbers, files and rows."""

from collections.abc import Iterator

from minhu.export.blocks import Block, Column, Row, Table, Text
from minhu.export.figures import arrows, bare, counts, interval, percent, stamp
from minhu.export.report import Cost, Group, Report, Unit
from minhu.export.words import Words
from minhu.scoring.words import limit


def annex(number: int, group: Group, unit: Unit, report: Report, words: Words) -> Iterator[Block]:
    yield Text("heading", words("annex", no=number, unit=unit.name))
    yield Text("body", unit_line(group, unit, words))
    columns = (
        Column(words("indicator"), 24),
        Column(f"{words('numerator')}/{words('denominator')}", 14, "right"),
        Column(words("value"), 14, "right"),
        Column(words("interval"), 18, "right"),
        Column(words("target"), 11, "right"),
        Column(words("points_max"), 9, "right"),
        Column(words("points"), 11, "right"),
        Column(words("lost"), 11, "right"),
    )
    yield Table(columns, tuple(_unit_rows(report, unit, words)))
    for one in unit.measured:
        if one.costs:
            name = report.names[one.code]
            yield Text("subheading", f"{name}　−{one.lost}")
            yield Table(_cost_columns(words), tuple(_cost_rows(one.costs, words)))
    if not any(one.costs for one in unit.measured):
        yield Text("body", words("no_costs"))


def unit_line(group: Group, unit: Unit, words: Words) -> str:
    """A unit's result in one line."""
    if unit.reason:
        return f"{group.name}　{words.reason(unit.reason)}"
    band = unit.band or words("no_band")
    return words(
        "said_unit",
        group=group.name,
        band=band,
        score=unit.score_100,
        assessed=unit.assessed_points,
        points=bare(group.points),
    )


def _unit_rows(report: Report, unit: Unit, words: Words) -> Iterator[Row]:
    for indicator in report.indicators:
        one = unit.by(indicator.code)
        if one is None:
            continue
        value = percent(one.value) if indicator.is_rate else bare(one.value)
        yield Row(
            (
                indicator.name,
                counts(one) if indicator.is_rate else bare(one.numerator),
                f"{value}{arrows(one.funnel_flag)}" if one.value is not None else words("not_applicable"),
                interval(one),
                f"{bare(one.target)}%" if one.target is not None else "",
                bare(one.points_max),
                "—" if one.points is None else str(one.points),
                "—" if one.lost is None else str(one.lost),
            )
        )


def _cost_columns(words: Words) -> tuple[Column, ...]:
    return (
        Column(words("no"), 7, "right"),
        Column(words("lost"), 9, "right"),
        Column(f"{words('feed')} / {words('case_no')}", 26),
        Column(f"{words('finding')} / {words('limit_rule')}", 34),
        Column(words("times"), 28),
        Column(words("source"), 32),
    )


def _cost_rows(costs: tuple[Cost, ...], words: Words) -> Iterator[Row]:
    for number, cost in enumerate(costs, start=1):
        times = (
            ("received", stamp(cost.received_at)),
            ("dispatched", stamp(cost.dispatched_at)),
            ("due", limit(cost.due_at) if cost.due_at else ""),
            ("occurred", stamp(cost.occurred_at)),
        )
        yield Row(
            (
                str(number),
                str(cost.lost),
                f"{cost.feed_name}\n{cost.case_no}",
                f"{cost.finding}\n{cost.rule or ''}".rstrip(),
                "".join(f"\n{words(name)} {time}" for name, time in times if time),
                "".join(f"\n{source}" for source in cost.sources),
            )
        )
