"""Loading: files and days, replays, rejected rows, reconciliation, retention."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import click

from minhu.cli.common import DATE, as_day, as_json_option, example, only_delivery, progress, show
from minhu.cli.root import minhu
from minhu.errors import MinhuError
from minhu.settings import Settings


@minhu.command(
    epilog=example(
        "minhu load h12345 --date 2026-10-31",
        "minhu load h12345 --delivery cases --file cases_20261031.csv",
        "minhu load --all --date 2026-10-31",
        "minhu load h12345 --date 2026-10-01 --until 2026-10-05",
    )
)
@click.argument("feed", required=False)
@click.option("--delivery", help="Only this delivery; needed with --file where the feed has several.")
@click.option("--file", type=click.Path(path_type=Path), help="Load this file instead of looking in the drop folder.")
@click.option("--date", "business_date", type=DATE, help="Business date; yesterday, where the feed is, unless given.")
@click.option("--until", type=DATE, help="Every business date from --date to this one, in their order.")
@click.option("--all", "every", is_flag=True, help="Every declared feed.")
@as_json_option
@click.pass_obj
def load(
    settings: Settings,
    feed: str | None,
    delivery: str | None,
    file: Path | None,
    business_date: datetime | None,
    until: datetime | None,
    every: bool,
    as_json: bool,
) -> None:
    """Load what a feed delivered: every row staged, rejected, duplicate or not taken, in one transaction."""
    from minhu import database
    from minhu.feeds import Feed, read_feed, readable_feeds
    from minhu.feeds.begun import yesterday
    from minhu.load import LoadResult, load_feed_day, load_file
    from minhu.load.failures import undeclared

    if (feed is None) == (not every) or (every and (file or delivery)):
        raise click.UsageError("name one FEED, or give --all with --date")
    day, last = as_day(business_date), as_day(until)
    if last and (file or day is None or last < day):
        raise click.UsageError("--until ends a range that --date begins; a file has one date")
    database.migrate(settings)
    results = list[LoadResult | MinhuError]()
    if feed:
        chosen: tuple[Feed, ...] = (read_feed(settings, feed),)
    else:
        chosen, unreadable = readable_feeds(settings.config)
        on = day or datetime.now(settings.zone).date() - timedelta(days=1)
        results += [undeclared(settings, code, on, error) for code, error in unreadable.items()]
    more = range((last - day).days + 1) if last and day else range(1)
    if feed and file:
        results += [load_file(feed, only_delivery(chosen[0], delivery), file, day, settings=settings)]
    else:
        with progress(len(chosen) * len(more), "loading feeds") as advance:
            for after in more:
                for one in chosen:
                    on = (day or yesterday(one)) + timedelta(days=after)
                    results += load_feed_day(settings, one, on, delivery)
                    advance(f"{one.code} {on}")
    _show_loads(results, as_json)


def _show_loads(results: list, as_json: bool) -> None:
    refusals = [result for result in results if isinstance(result, MinhuError)]
    columns = ("feed_code", "delivery", "business_date", "outcome", "batch_id", "received", "staged", "rejected")
    loads = [result.summary() for result in results if not isinstance(result, MinhuError)]
    show(loads, as_json, (*columns, "duplicates", "filtered", "reason"))
    for refusal in refusals:
        click.echo(f"minhu: {refusal}", err=True)
    if refusals:
        raise click.exceptions.Exit(1)


@minhu.command(epilog=example("minhu replay 17"))
@click.argument("batch_id", type=int)
@as_json_option
@click.pass_obj
def replay(settings: Settings, batch_id: int, as_json: bool) -> None:
    """Read a batch's landed file again with today's declaration; the new batch takes the old one's place."""
    from minhu.load import replay as run

    _show_loads([run(settings, batch_id)], as_json)


@minhu.command(epilog=example("minhu rejects 17 --out rejected.csv --why '退回报送单位更正'"))
@click.argument("batch_id", type=int)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@click.pass_obj
def rejects(settings: Settings, batch_id: int, out: Path, why: str) -> None:
    """Write the rejected rows of a batch for the sender to correct. The file holds what the sender sent: guard it."""
    from minhu.load.rejects import export_rejects

    click.echo(f"{out}: {export_rejects(settings, batch_id, out, why)} rows")


@minhu.command(epilog=example("minhu reconcile --date 2026-10-31", "minhu reconcile --date 2026-10-31 --xlsx day.xlsx"))
@click.option("--date", "business_date", type=DATE, help="Business date; yesterday unless given.")
@click.option("--xlsx", type=click.Path(path_type=Path, dir_okay=False), help="Write a workbook instead.")
@as_json_option
@click.pass_obj
def reconcile(settings: Settings, business_date: datetime | None, xlsx: Path | None, as_json: bool) -> None:
    """The statement of a date: per delivery expected, sent, received, staged, rejected, duplicate, others', missing."""
    from minhu.export import assert_can_put, put
    from minhu.warehouse.reconcile import as_markdown, as_xlsx
    from minhu.warehouse.reconcile import reconcile as run

    if xlsx:
        assert_can_put(xlsx)
    statement = run(settings, as_day(business_date) or datetime.now(settings.zone).date() - timedelta(days=1))
    if xlsx:
        put(xlsx, as_xlsx(statement))
        click.echo(f"{xlsx}: {len(statement.lines)} deliveries")
    elif as_json:
        click.echo(json.dumps(statement.as_json(), ensure_ascii=False, indent=2))
    else:
        click.echo(as_markdown(statement))


@minhu.command(epilog=example("minhu prune --dry-run", "minhu prune --json"))
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@as_json_option
@click.pass_obj
def prune(settings: Settings, dry_run: bool, as_json: bool) -> None:
    """Delete what is past retention: landed files, rejected rows, identical versions; each deletion is recorded."""
    from minhu import database
    from minhu.load.prune import STEPS
    from minhu.load.prune import prune as run

    database.migrate(settings)
    with progress(len(STEPS), "pruning") as advance:
        gone = run(settings, dry_run=dry_run, advance=advance)
    show([one.summary() for one in gone], as_json, title="would go" if dry_run else "pruned")
