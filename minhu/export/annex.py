"""An annex of the bulletin: why a unit lost its points, down to case numbers, files and rows."""

from collections.abc import Iterator

from minhu.export.figures import arrows, bare, counts, interval, percent, stamp, worth
from minhu.export.report import Cost, Group, Report, Unit
from minhu.export.words import Words
from minhu.paper.blocks import Block, Column, Row, Table, Text
from minhu.schemes.words import limit


def annex(number: int, group: Group, unit: Unit, report: Report, words: Words) -> Iterator[Block]:
    yield Text("heading", words("annex", no=number, unit=unit.name))
    yield Text("body", unit_line(group, unit, words))
    columns = (
        Column(words("indicator"), 21),
        Column(f"{words('numerator')}/{words('denominator')}", 17, "right"),
        Column(words("value"), 14, "right"),
        *([Column(words("shrunken_value"), 13, "right")] if report.is_shrunken else []),
        Column(words("interval"), 18, "right"),
        Column(words("target"), 11, "right"),
        Column(words("points_max"), 9, "right"),
        Column(words("points"), 11, "right"),
        Column(words("lost_points"), 11, "right"),
    )
    yield Table(columns, tuple(_unit_rows(report, unit, words)))
    for one in unit.measured:
        if one.costs:
            name = report.names[one.code]
            yield Text("subheading", f"{name}　−{one.lost}")
            yield Table(_cost_columns(words, not report.is_draft), tuple(_cost_rows(one.costs, words)))
    if not any(one.costs for one in unit.measured):
        yield Text("body", words("no_costs"))


def unit_line(group: Group, unit: Unit, words: Words) -> str:
    """A unit's result in one line."""
    if unit.reason:
        return f"{group.name}　{words.reason(unit.reason)}"
    standing = words("comma").join(filter(None, (unit.band or words("no_band"), unit.listed_on)))
    return words(
        "said_unit",
        group=group.name,
        band=standing,
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
                counts(one, words("with_earlier")) if indicator.is_rate else bare(one.numerator),
                f"{value}{arrows(one.funnel_flag)}" if one.value is not None else words("not_applicable"),
                *([percent(one.shrunken_value)] if report.is_shrunken else []),
                interval(one),
                f"{bare(one.target)}%" if one.target is not None else "",
                bare(one.points_max),
                "—" if one.points is None else str(one.points),
                "—" if one.lost is None else str(one.lost),
            )
        )


def _cost_columns(words: Words, is_published: bool) -> tuple[Column, ...]:
    return (
        Column(words("no"), 10, "right"),
        Column(f"{words('lost_points')} / {words('marginal')}", 15, "right"),
        Column(" / ".join(map(words, ("feed", "case_no", *(["published_row"] if is_published else [])))), 29),
        Column(f"{words('finding')} / {words('limit_rule')} / {words('clock')}", 38),
        Column(words("times"), 28),
        Column(words("source"), 37),
    )


def _cost_rows(costs: tuple[Cost, ...], words: Words) -> Iterator[Row]:
    for number, cost in enumerate(costs, start=1):
        times = {"at_received": stamp(cost.received_at)}
        if not cost.clock:  # which tells the others
            times["at_dispatched"] = stamp(cost.dispatched_at)
            times["at_due"] = limit(cost.due_at) if cost.due_at else ""
            times["at_occurred"] = stamp(cost.occurred_at)
        yield Row(
            (
                str(number),
                f"{cost.lost}\n{worth(cost)}".rstrip(),
                "\n".join(filter(None, (cost.feed_name, cost.case_no, cost.published_row))),
                "\n".join(filter(None, (cost.finding, cost.rule, cost.clock.text_zh if cost.clock else None))),
                "".join(f"\n{words(name)} {time}" for name, time in times.items() if time),
                "".join(f"\n{source}" for source in cost.sources),
            )
        )
