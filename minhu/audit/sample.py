"""The auditor's sample: cases drawn at random, so that the same seed draws the same cases whatever the order of rows.

Each case of the frame has the number sha256(seed | case_id); the smallest numbers are drawn. Nobody who does not choose
the seed can say beforehand which cases those are, and whoever knows it can draw them again with any tool.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import DictRow, dict_row

from minhu import database
from minhu.business_date import TIMEZONE
from minhu.declaration import Declared
from minhu.errors import Refused, foreign
from minhu.schemes.period import Period
from minhu.settings import Settings

FRAME_ZH = "受理时间在本期内、已构建入库的全部工单"
_RULE = "order by sha256(seed || '|' || case_id), the smallest first"


class Drawn(Declared):
    """A case of the sample. ``hash``: its number, hex."""

    no: int
    feed_code: str
    case_no: str
    case_id: str
    hash: str


class Frame(Declared):
    """What was drawn from. ``sha256``: over the case_ids in their order, one a line: a changed frame is seen."""

    period: str
    feeds: tuple[str, ...]
    """Only of these feeds; all where there is none."""
    cases: int
    sha256: str
    build_id: int
    by_feed: dict[str, int]


class Sample(Declared):
    """A sample, as it is kept in a file. Read strictly: a file with another key is none of ours."""

    seed: str
    n: int
    by_feed: bool
    """Stratified: each feed has its share, and one case at least where n allows."""
    rule: str = _RULE
    frame: Frame
    cases: tuple[Drawn, ...]


@dataclass(frozen=True)
class Comparison:
    """A sample drawn again. ``is_same_frame``: it was drawn from the same cases; then the same cases must come."""

    sample: Sample
    is_same_frame: bool
    missing: tuple[Drawn, ...]
    added: tuple[Drawn, ...]

    @property
    def is_same(self) -> bool:
        return not self.missing and not self.added


def draw(
    settings: Settings, period: str, n: int, seed: str, feeds: tuple[str, ...] = (), *, by_feed: bool = False
) -> Sample:
    """Draws ``n`` cases received in ``period``, all of them where there are fewer.

    Raises Refused when the period is malformed, nothing was built or nothing was received.
    """
    with database.connect(settings, rows=dict_row, at_one_moment=True) as connection:
        return draw_in(connection, period, n, seed, feeds, by_feed=by_feed)


def draw_in(
    connection: psycopg.Connection[DictRow],
    period: str,
    n: int,
    seed: str,
    feeds: tuple[str, ...] = (),
    *,
    by_feed: bool = False,
) -> Sample:
    """As ``draw``, on an open connection that gives rows as dicts."""
    wanted = Period.parse(period)
    starts_at, ends_at = wanted.bounds(connection.info.parameter_status("TimeZone") or TIMEZONE)
    asked = {"starts_at": starts_at, "ends_at": ends_at, "feeds": sorted(set(feeds)) or None, "seed": seed}
    frame = database.one(connection, _FRAME, asked)
    build_id = database.one(connection, "select max(build_id) as id from audit.build where status = 'succeeded'")
    if not frame["cases"]:
        of = f" by {', '.join(feeds)}" if feeds else ""
        raise Refused(f"no built case was received in {period}{of}: there is nothing to draw from")
    shares = _shares(frame["by_feed"], n) if by_feed else None
    rows = connection.execute(_DRAWN, asked | {"n": n, "shares": json.dumps(shares) if shares else None}).fetchall()
    return Sample(
        seed=seed,
        n=n,
        by_feed=by_feed,
        frame=Frame(
            period=wanted.text,
            feeds=tuple(sorted(set(feeds))),
            cases=frame["cases"],
            sha256=frame["sha256"],
            build_id=build_id["id"],
            by_feed=frame["by_feed"],
        ),
        cases=tuple(Drawn(no=no, **row) for no, row in enumerate(rows, 1)),
    )


def redraw(settings: Settings, file: Path) -> Comparison:
    """Draws the sample of ``file`` again and compares. Raises Refused when the file is no sample."""
    with foreign.told("read file", file=file):
        content = file.read_bytes()
    try:
        kept = Sample.model_validate_json(content)
    except ValueError:
        raise Refused(f"{file} is no sample: `minhu audit sample … --out FILE` writes one") from None
    again = draw(settings, kept.frame.period, kept.n, kept.seed, kept.frame.feeds, by_feed=kept.by_feed)
    before, after = {one.case_id: one for one in kept.cases}, {one.case_id: one for one in again.cases}
    return Comparison(
        again,
        (kept.frame.sha256, kept.frame.cases) == (again.frame.sha256, again.frame.cases),
        tuple(one for key, one in before.items() if key not in after),
        tuple(one for key, one in after.items() if key not in before),
    )


def as_file(sample: Sample) -> str:
    """The sample as it is kept: JSON, the same text for the same sample."""
    return json.dumps(sample.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def _shares(by_feed: dict[str, int], n: int) -> dict[str, int]:
    """How many of ``n`` each feed gives: in proportion by largest remainder, ties by code, one each where n allows."""
    n, whole = min(n, sum(by_feed.values())), sum(by_feed.values())
    least = 1 if n >= len(by_feed) else 0
    exact = {feed: (n - least * len(by_feed)) * (count - least) / max(whole - least * len(by_feed), 1)
             for feed, count in by_feed.items()}  # fmt: skip
    shares = {feed: least + int(share) for feed, share in exact.items()}
    for feed in sorted(exact, key=lambda feed: (int(exact[feed]) - exact[feed], feed))[: n - sum(shares.values())]:
        shares[feed] += 1
    return shares


_OF_FRAME = """
    received_at >= %(starts_at)s
    and received_at < %(ends_at)s
    and (%(feeds)s::text[] is null or feed_code = any(%(feeds)s::text[]))
"""
_FRAME = f"""
with frame as (
    select case_id, feed_code from mart.fct_case where {_OF_FRAME}
),

counted as (
    select feed_code, count(*) as cases from frame group by feed_code
)

select
    (select count(*) from frame) as cases,
    (
        select encode(sha256(convert_to(
            coalesce(string_agg(case_id, chr(10) order by case_id collate "C"), ''), 'UTF8'
        )), 'hex')
        from frame
    ) as sha256,
    (select coalesce(jsonb_object_agg(feed_code, cases), '{{}}') from counted) as by_feed
"""
_DRAWN = f"""
with numbered as (
    select
        feed_code,
        case_no,
        case_id,
        encode(sha256(convert_to(%(seed)s || '|' || case_id, 'UTF8')), 'hex') as hash
    from mart.fct_case
    where {_OF_FRAME}
),

placed as (
    select
        *,
        row_number() over (partition by feed_code order by hash, case_id) as place
    from numbered
)

select feed_code, case_no, case_id, hash
from placed
where %(shares)s::jsonb is null or place <= (%(shares)s::jsonb ->> feed_code)::integer
order by hash, case_id
limit %(n)s
"""
