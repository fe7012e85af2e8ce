"""The bulletin (通报): its chapters as blocks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from minhu.export import charts
from minhu.export.anchored import anchored
from minhu.export.annex import annex
from minhu.export.figures import arrows, bare, counts, interval, percent, sides
from minhu.export.report import Group, Indicator, Measured, Report, Unit
from minhu.export.words import Words
from minhu.paper.blocks import WIDTH, Block, Column, Cover, Figure, PageBreak, Row, Table, Text, settled
from minhu.paper.names import Names
from minhu.publish.diff import Diff, Moved
from minhu.publish.ledger import signed

MOST_LOST = 5
MOST_MOVED = 30
"""What a revision changed is told in so many lines; the workbook has all of them."""
RATES_ABREAST = 5


def bulletin(report: Report, words: Words, annexes: Iterable[str] = ()) -> list[Block]:
    """The blocks of a bulletin, with an annex for each of the units (codes) named."""
    parts: list[tuple[str, Callable[[Report, Words], Iterator[Block]]]] = [
        ("overview", _overview),
        *([("revised", _revised)] if report.diff else []),
        ("group_scores", _group_scores),
        *([("red_and_black", _lists)] if report.lists else []),
        ("main_indicators", _indicators),
    ]
    if not report.is_public:  # a public list of the worst would tell what is withheld
        parts.append(("most_lost", _most_lost))
    parts.append(("notes", _notes))
    blocks = list(_head(report, words))
    for number, (key, write) in enumerate(parts, start=1):
        blocks += [Text("heading", words.heading(number, key)), *write(report, words)]
    if seal := words.seal(report):
        blocks.append(Text("seal", seal))
    wanted = list(annexes)
    chosen = [(group, unit) for group, unit in report.units() if unit.code in wanted]
    for number, (group, unit) in enumerate(chosen, start=1):
        blocks += [PageBreak(), *annex(number, group, unit, report, words)]
    blocks += anchored(report, words)
    return settled(blocks, words.lang)


def cover(report: Report, words: Words) -> Cover:
    """What stands around the bulletin's blocks."""
    return Cover(
        title=f"{report.title} {words('bulletin_of', period=words.period(report))}",
        head=f"{report.title} · {words.period(report)}",
        subject=report.period,
        dated=report.dated,
        mark=words("draft") if report.is_draft else None,
        foot=words.foot(report),
        lang=words.lang,
        names=Names(chain((unit.name for _, unit in report.units()), report.moved_names)),
    )


def _head(report: Report, words: Words) -> Iterator[Block]:
    yield Text("title", report.title)
    yield Text("subtitle", words("bulletin_of", period=words.period(report)))
    versions = [words("public")] if report.is_public else []
    yield Text("meta", "　".join([words.number(report), words.standing(report), *versions]))
    if report.release:
        yield Text("meta", words.release_line(report.release))
        yield Text("meta", words("hash_line", release=report.release))
    for notice in words.notices(report):
        yield Text("notice", notice)


def _overview(report: Report, words: Words) -> Iterator[Block]:
    first, last = words.day(report.first), words.day(report.last)
    title = f"《{report.title}》" if words.lang == "zh" else report.title
    said = words("said_period", first=first, last=last, as_of=words.until(report.as_of), title=title)
    groups = [group for group in report.groups if group.units]
    listed, apart = sum(len(group.listed) for group in groups), sum(len(group.apart) for group in groups)
    counted = words("said_units", all=listed + apart, listed=listed, apart=apart)
    yield Text("body", words("join").join((said, counted)))
    if report.bands and groups:
        yield Text("body", words("join").join(_group_in_words(report, group, words) for group in groups))
    totals = [(group, one) for group in groups for one in group.totals if one.target is not None]
    if missed := [_miss(report, group, one, words) for group, one in totals if _misses(report, one)]:
        yield Text("body", words("said_below", indicators=words("semicolon").join(missed)))
    elif totals:
        yield Text("body", words("said_none_below"))
    yield from map(Figure, charts.drawn(report, words, WIDTH))


def _revised(report: Report, words: Words) -> Iterator[Block]:
    """Against the revision before: why, whose score, which indicators."""
    diff = report.diff
    if diff is None:
        return
    yield Text("body", words.revision(report))
    if diff.causes:
        yield Text("body", words("said_causes", causes=words("semicolon").join(diff.causes)))
    if diff.ledger:
        yield _ledger(diff, words)
    moved = [*diff.units, *diff.indicators]
    if moved:
        columns = (Column(words("unit"), 38), Column(words("indicator"), 26), Column(words("what"), 96))
        yield Table(columns, tuple(_moved_row(one, report, words) for one in moved[:MOST_MOVED]))
    if hidden := len(moved[MOST_MOVED:]):
        yield Text("body", words("said_more", count=hidden))


def _ledger(diff: Diff, words: Words) -> Table:
    """Unit by unit: the decisions and batches, how many cases each moved, and by how many points."""
    heads = (("unit", 38), ("moved_by", 82), ("cases_moved", 18), ("points_moved", 22))
    columns = tuple(Column(words(name), width, "left" if width > 30 else "right") for name, width in heads)
    rows = []
    for unit in diff.ledger:
        for cause in unit.causes:
            cases = len({one.case_id for one in cause.lines if one.case_id})
            rows.append(Row((unit.unit_name, cause.words, str(cases or ""), signed(cause.points))))
    return Table(columns, tuple(rows[:MOST_MOVED]))


def _moved_row(one: Moved, report: Report, words: Words) -> Row:
    name = report.names.get(one.indicator_code or "", one.indicator_code or "—")
    told = []
    for change in one.changes:
        before, after = (side or words("none") for side in sides(change, is_rate=report.is_rate(one.indicator_code)))
        told.append(f"{words(change.column)} {before} → {after}")
    return Row((one.unit_name, name, words("comma").join(told)))


def _group_in_words(report: Report, group: Group, words: Words) -> str:
    found = report.in_band(group)
    told = [
        words("said_band", band=band.name, count=found[band.name]) for band in report.bands if found[band.name]
    ] or [words("no_band")]
    return words("said_group", group=group.name, count=len(group.units), bands=words("comma").join(told))


def _misses(report: Report, one: Measured) -> bool:
    if one.target is None or one.value is None:
        return False
    is_lower_better = next(i.is_lower_better for i in report.indicators if i.code == one.code)
    return one.value > one.target if is_lower_better else one.value < one.target


def _miss(report: Report, group: Group, one: Measured, words: Words) -> str:
    return words(
        "said_miss",
        group=group.name,
        indicator=report.names[one.code],
        rate=percent(one.value),
        target=f"{bare(one.target)}%",
    )


def _group_scores(report: Report, words: Words) -> Iterator[Block]:
    yield Text("body", words("by_rank" if report.is_ranked else "by_band"))
    for group in report.groups:
        yield Text("subheading", group.name)
        if not group.listed:
            yield Text("body", words("nobody"))
            continue
        ranked = [Column(words("rank_in_group"), 9, "right")] if report.is_ranked else []
        columns = (
            *ranked,
            Column(words("unit"), 48),
            Column(words("band"), 14, "middle"),
            Column(words("score_100"), 19, "right"),
            Column(words("assessed_of", points=bare(group.points)), 19, "right"),
        )
        yield Table(columns, tuple(_score_rows(report, group, words)))
    yield Text("subheading", words("apart"))
    apart = [(group, unit) for group in report.groups for unit in group.apart]
    if not apart:
        yield Text("body", words("nobody_apart"))
        return
    yield Text("body", words("said_apart"))
    columns = (Column(words("unit"), 48), Column(words("peer_group"), 16), Column(words("not_ranked_reason"), 45))
    yield Table(columns, tuple(Row((unit.name, group.name, words.reason(unit.reason))) for group, unit in apart))


def _lists(report: Report, words: Words) -> Iterator[Block]:
    yield Text("body", words("said_lists"))
    columns = (Column(words("unit"), 48), Column(words("peer_group"), 30), Column(words("score_100"), 22, "right"))
    for name in report.lists:
        yield Text("subheading", name)
        rows = tuple(Row((unit.name, group.name, _score(unit, words))) for group, unit in report.on_list(name))
        yield Table(columns, rows) if rows else Text("body", words("none"))


def _score(unit: Unit, words: Words) -> str:
    return words("suppressed") if unit.is_suppressed else str(unit.score_100 or "")


def _score_rows(report: Report, group: Group, words: Words) -> Iterator[Row]:
    for unit in group.listed:
        assessed = words("suppressed") if unit.is_suppressed else str(unit.assessed_points or "")
        rank = [str(unit.rank or "—")] if report.is_ranked else []
        yield Row((*rank, unit.name, unit.band or words("no_band"), _score(unit, words), assessed))


def _indicators(report: Report, words: Words) -> Iterator[Block]:
    if not any(group.units for group in report.groups):
        yield Text("body", words("nobody_assessed"))
        return
    flags = [words("said_flags")] if report.has_flags else []
    drawn = [words("said_shrunken")] if report.is_shrunken else []
    yield Text("body", words("join").join([words("said_cells"), *drawn, *flags]))
    rated = [one for one in report.indicators if one.is_rate]
    counted = [one for one in report.indicators if not one.is_rate and one.has_value]
    chunks = [rated[at : at + RATES_ABREAST] for at in range(0, len(rated), RATES_ABREAST)] or [[]]
    for group in report.groups:
        if group.units:
            yield Text("subheading", group.name)
            yield from (_values(group, chunk, [], words) for chunk in chunks[:-1])
            yield _values(group, chunks[-1], counted, words)


def _values(group: Group, rated: Sequence[Indicator], counted: Sequence[Indicator], words: Words) -> Table:
    """A row for each unit with the value of each indicator, and the group's total; of one unit that is its own."""
    columns = (
        Column(words("unit"), 30),
        *(Column(one.name, 22, "right") for one in rated),
        *(Column(one.name, 11, "right") for one in counted),
    )
    shown = (*rated, *counted)
    rows = [Row((unit.name, *(_cell(one, unit.by(one.code), words) for one in shown))) for unit in group.units]
    total = Row((words("total"), *(_cell(one, group.total(one.code), words) for one in shown)), is_total=True)
    return Table(columns, (*rows, total) if len(rows) > 1 else tuple(rows))


def _cell(indicator: Indicator, one: Measured | None, words: Words) -> str:
    if one is None:
        return ""
    if one.is_suppressed:
        return words("suppressed")
    if one.value is None:
        return "—"
    if not indicator.is_rate:
        return bare(one.value)
    drawn = None if one.shrunken_value is None else words("shrunken_of", value=percent(one.shrunken_value))
    lines = (f"{percent(one.value)}{arrows(one.funnel_flag)}", counts(one, words("with_earlier")), interval(one), drawn)
    return "\n".join(filter(None, lines))


def _most_lost(report: Report, words: Words) -> Iterator[Block]:
    yield Text("body", words("said_lost", count=MOST_LOST))
    for group in report.groups:
        worst = sorted((unit for unit in group.units if unit.lost > 0), key=lambda unit: (-unit.lost, unit.code))
        yield Text("subheading", group.name)
        if not worst:
            yield Text("body", words("nothing_lost"))
            continue
        columns = (
            Column(words("unit"), 34),
            Column(words("band"), 12, "middle"),
            Column(words("lost_points"), 11, "right"),
            Column(words("mostly"), 55),
        )
        yield Table(
            columns,
            tuple(
                Row((unit.name, unit.band or "—", str(unit.lost), _mostly(unit, report, words)))
                for unit in worst[:MOST_LOST]
            ),
        )


def _mostly(unit: Unit, report: Report, words: Words) -> str:
    parts = sorted(
        (one for one in unit.measured if one.lost and one.lost > 0), key=lambda one: (-(one.lost or 0), one.code)
    )
    told = [
        words(
            "lost_item",
            indicator=report.names[one.code],
            lost=one.lost,
            counts=bare(one.value) if one.wilson_low_pct is None else counts(one, words("with_earlier")),
        )
        for one in parts[:3]
    ]
    return words("semicolon").join(told)


def _notes(report: Report, words: Words) -> Iterator[Block]:
    notes = words.notes(report)
    for number, note in enumerate(notes, start=1):
        yield Text("item", f"{number}. {note}")
    columns = (Column(words("indicator"), 20), Column(words("points_max"), 8, "right"), Column(words("rule"), 72))
    yield Table(columns, tuple(_rule_rows(report, words)))
    told = " · ".join(f"{name} {value}" for name, value in words.identity(report)[-2:])
    yield Text("small", f"{words('scheme_version')} {report.scheme_version} · {told}")


def _rule_rows(report: Report, words: Words) -> Iterator[Row]:
    for indicator, rule in words.rules(report):
        note = words("note_of", note=indicator.note) if indicator.note else ""
        full = {bare(one.points_max) for _, unit in report.units() if (one := unit.by(indicator.code))}
        yield Row((indicator.name, "/".join(sorted(full)), f"{rule}{note}"))
