"""The monthly data-quality score of feeds, as builds have scored it, with what cost points."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import StringIO
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich import box
from rich.console import Console
from rich.table import Table

from minhu import database
from minhu.errors import Refused
from minhu.glossary.columns import COLUMN
from minhu.glossary.delivered import QUALITY_PART
from minhu.schemes.feed_words import loss_text
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.settings import Settings


@dataclass(frozen=True)
class Part:
    """One part of a feed's score: ``points`` = ``points_max`` × ``numerator`` ÷ ``denominator``, to two decimals.

    ``lost``: what cost points, the dearest first, as ``audit.feed_quality`` holds it.
    """

    part: str
    points: Decimal
    points_max: Decimal
    numerator: Decimal
    denominator: Decimal
    lost: tuple[dict, ...]


@dataclass(frozen=True)
class FeedScore:
    """A feed's month. ``through_on``: the last business date that was counted. Parts in the order of the practice."""

    feed_code: str
    feed_name: str
    unit_code: str | None
    unit_name: str | None
    month_on: date
    through_on: date
    parts: tuple[Part, ...]

    @property
    def points(self) -> Decimal:
        return sum((part.points for part in self.parts), Decimal(0))

    @property
    def points_max(self) -> Decimal:
        return sum((part.points_max for part in self.parts), Decimal(0))

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.part == name)

    def as_json(self) -> dict:
        """Plain values; points as decimal strings, every cause with its words."""
        told = plain(self) | {"points": str(self.points), "points_max": str(self.points_max)}
        for part in told["parts"]:
            part["lost"] = [loss | {"text_zh": loss_text(loss)} for loss in part["lost"]]
        return told


def month_of(text: str) -> Period:
    """The month written as 2026-10. Raises Refused for anything else."""
    period = Period.parse(text)
    if period.kind != "month":
        raise Refused(f"{text} is no month; write one as 2026-10")
    return period


def feed_scores(settings: Settings, month: str, feed: str | None = None) -> tuple[FeedScore, ...]:
    """The scores of a month, the lowest first. Raises Refused when it is no month, or nothing was scored."""
    with database.connect(settings) as connection:
        found = read_scores(connection, month_of(month), feed)
    if not found:
        of = f" of the feed {feed!r}" if feed else ""
        raise Refused(
            f"{month}: no data quality{of} was scored; a build scores the months of its batches where `feed_quality`"
            " of city.yml is in force"
        )
    return found


def read_scores(connection: psycopg.Connection[Any], month: Period, feed: str | None = None) -> tuple[FeedScore, ...]:
    """The scores of a month, the lowest first; none where nothing was scored."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SCORES, {"month": month.first, "last": month.last, "feed": feed}).fetchall()
    scores = []
    for _, parts in groupby(rows, lambda row: row["feed_code"]):
        told = {row["part"]: row for row in parts}
        one = next(iter(told.values()))
        scores.append(
            FeedScore(
                **{name: one[name] for name in _HEAD},
                parts=tuple(
                    Part(**{key: told[name][key] for key in _PART} | {"lost": tuple(told[name]["lost"])})
                    for name in QUALITY_PART
                    if name in told
                ),
            )
        )
    return tuple(sorted(scores, key=lambda score: (score.points, score.feed_code)))


def render_feeds(scores: tuple[FeedScore, ...], limit_causes: int | None = 3) -> str:
    """The scores as a table, then what cost each feed points: ``limit_causes`` of each part, all of one feed."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("feed_code", "feed_name"):
        table.add_column(COLUMN.zh(name))
    for title in (*(word.zh for word in QUALITY_PART.values()), COLUMN.zh("total")):
        table.add_column(title, justify="right")
    for score in scores:
        parts = (f"{part.points}/{part.points_max}" for part in score.parts)
        table.add_row(score.feed_code, score.feed_name, *parts, f"{score.points}/{score.points_max}")
    out = StringIO()
    console = Console(file=out, width=110, color_system=None, emoji=False, markup=False, highlight=False)
    console.print(f"{scores[0].month_on:%Y-%m} 热线数据质量分，统计至 {max(one.through_on for one in scores)}")
    console.print(table)
    limit = None if len(scores) == 1 else limit_causes
    for score in scores:
        for part in score.parts:
            if part.points == part.points_max:
                continue
            console.print(
                f"{score.feed_code} {QUALITY_PART.zh(part.part)} 失 {part.points_max - part.points} 分"
                f"（{part.numerator}/{part.denominator}）",
                soft_wrap=True,
            )
            for loss in part.lost[:limit]:
                console.print(f"  -{loss['points']:.2f}  {loss_text(loss)}", soft_wrap=True)
            if limit is not None and len(part.lost) > limit:
                console.print(f"  另 {len(part.lost) - limit} 项：加 --feed {score.feed_code} 查看全部")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


_HEAD = ("feed_code", "feed_name", "unit_code", "unit_name", "month_on", "through_on")
_PART = ("part", "points", "points_max", "numerator", "denominator")
_SCORES = """
select
    scored.feed_code,
    coalesce(feeds.feed_name, scored.feed_code) as feed_name,
    scored.unit_code,
    coalesce(units.unit_name, scored.unit_code) as unit_name,
    scored.month_on,
    scored.through_on,
    scored.part,
    scored.points,
    scored.points_max,
    scored.numerator,
    scored.denominator,
    scored.lost
from audit.feed_quality as scored
left join mart.dim_feed as feeds on scored.feed_code = feeds.feed_code
left join mart.dim_unit as units
    on
        scored.unit_code = units.unit_code
        and units.valid_from <= %(last)s
        and (units.valid_to is null or units.valid_to > %(last)s)
where scored.month_on = %(month)s and (%(feed)s::text is null or scored.feed_code = %(feed)s)
order by scored.feed_code
"""
