"""Feeds: their declarations, drafts, previews and contracts."""

import json
from pathlib import Path

import click

from minhu.cli.common import Commands, as_json_option, example, only_delivery, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def feeds() -> None:
    """The declared feeds."""


@feeds.command("list", epilog=example("minhu feeds list --json"))
@as_json_option
@click.pass_obj
def feeds_list(settings: Settings, as_json: bool) -> None:
    """List every feed with its deliveries."""
    from minhu.feeds import load_feeds

    rows = [
        {
            "feed": feed.code,
            "name": feed.name,
            "role": feed.role,
            "group": feed.group,
            "schedule": feed.schedule,
            "deliveries": " ".join(f"{d.name}({d.format.type})" for d in feed.deliveries),
        }
        for feed in load_feeds(settings.config)
    ]
    show(rows, as_json)


@feeds.command("check", epilog=example("minhu feeds check"))
@as_json_option
@click.pass_obj
def feeds_check(settings: Settings, as_json: bool) -> None:
    """Read the whole configuration and count it; every slip is told with file, line, key and what is nearest."""
    from minhu.config import check_feeds

    show([check_feeds(settings.config)], as_json)


@feeds.command("new", epilog=example("minhu feeds new h12399 sample.csv > config/feeds/h12399.yml"))
@click.argument("code")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def feeds_new(settings: Settings, code: str, file: Path) -> None:
    """Draft the declaration of a feed from a sample file; every guess is marked for you to check."""
    from minhu.feeds.draft import draft

    click.echo(draft(file, code, settings.config), nl=False)


@feeds.command("preview", epilog=example("minhu feeds preview h12345 cases_20261031.csv --delivery cases"))
@click.argument("feed")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--delivery", help="Needed where the feed has several.")
@as_json_option
@click.pass_obj
def feeds_preview(settings: Settings, feed: str, file: Path, delivery: str | None, as_json: bool) -> None:
    """Show what loading FILE would do, before anything is loaded. Exits 1 when it would be refused."""
    from minhu.feeds import read_feed
    from minhu.load.preview import preview
    from minhu.load.preview_text import render

    declared = read_feed(settings, feed)
    seen = preview(settings, declared, declared.delivery(only_delivery(declared, delivery)), file)
    click.echo(json.dumps(seen.as_json(), ensure_ascii=False, indent=2, default=str) if as_json else render(seen))
    if seen.verdict == "refuse":
        raise click.exceptions.Exit(1)


@feeds.command("unresolved", epilog=example("minhu feeds unresolved --json"))
@as_json_option
@click.pass_obj
def feeds_unresolved(settings: Settings, as_json: bool) -> None:
    """List unit names and categories that resolve to nothing, with the nearest known ones."""
    from minhu.warehouse.unresolved import unresolved

    found = unresolved(settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
    else:
        for what, rows in found.items():
            show(rows, as_json=False, title=what)


@feeds.command("schema", epilog=example("minhu feeds schema > feed.schema.json"))
def feeds_schema() -> None:
    """Print the JSON Schema of a declaration, for editors that complete YAML."""
    from minhu.feeds.contract_files import json_schema

    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


@feeds.command("contract", epilog=example("minhu feeds contract h12345 > h12345.odcs.yml"))
@click.argument("feed")
@click.pass_obj
def feeds_contract(settings: Settings, feed: str) -> None:
    """Print a feed's contract in the Open Data Contract Standard."""
    import yaml

    from minhu.feeds import read_feed
    from minhu.feeds.contract_files import as_odcs

    click.echo(yaml.safe_dump(as_odcs(read_feed(settings, feed)), allow_unicode=True, sort_keys=False), nl=False)


@feeds.command("doctor", epilog=example("minhu feeds doctor", "minhu feeds doctor --days 90 --all --json"))
@click.option("--days", type=click.IntRange(10), default=60, show_default=True, help="Business dates to look back.")
@click.option("--all", "is_all", is_flag=True, help="Those whose deadline fits, too.")
@as_json_option
@click.pass_obj
def feeds_doctor(settings: Settings, days: int, is_all: bool, as_json: bool) -> None:
    """Tell when deliveries really come, and propose a deadline where the declared one does not fit.

    Times are days after the business date and the time of day, as `arrival` says them; nothing is changed.
    """
    from datetime import datetime

    from minhu.warehouse.arrival_times import habits

    found = [one for one in habits(settings, datetime.now(settings.zone).date(), days) if is_all or one.is_to_change]
    columns = "feed_code delivery days median most latest declared late_pct proposed grace_minutes"
    show([one.summary() for one in found], as_json, columns.split(), title="送达时间")
