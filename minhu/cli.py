"""The command line. It parses, calls and prints; what a command does lives in the module it calls.

Exit codes: 0 done, 1 refused or failed with one clear line, 2 wrong usage.
"""

import json
import os
import sys
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from minhu.errors import MinhuError
from minhu.settings import Settings

DATE = click.DateTime(["%Y-%m-%d"])


class Commands(click.Group):
    """Lists commands in the order they are written, which is the order a newcomer meets them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; turns our errors into one line and exit code 1."""
    try:
        minhu.main(arguments, standalone_mode=True)
    except MinhuError as error:
        click.echo(f"minhu: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.pass_context
def minhu(context: click.Context) -> None:
    """民呼: from hotline feeds to unit scores, every row accounted for."""
    context.obj = Settings.from_env()


def _example(*lines: str) -> str:
    """The epilog of a command: how it is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def _show(rows: list[dict], as_json: bool, columns: Iterable[str] = (), title: str = "") -> None:
    """A listing: one JSON array, or a table on a terminal and in logs alike."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        click.echo(f"{title}: none" if title else "(none)")
        return
    from rich.console import Console
    from rich.table import Table

    names = list(columns) or list(rows[0] if rows else ())
    table = Table(*names, title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


as_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


# -- services -----------------------------------------------------------------------------------------------------


@minhu.command(epilog=_example("minhu up"))
@click.pass_obj
def up(settings: Settings) -> None:
    """Start PostgreSQL and Airflow; print the address and the login."""
    from minhu import config, database, services

    database.migrate(settings)
    config.sync(settings)
    address = services.up(settings, click.echo)
    click.echo(f"Airflow        {address.url}\n用户 login     {address.user}\n密码 password  {address.password}")


@minhu.command(epilog=_example("minhu down"))
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop everything that `minhu up` started."""
    from minhu import services

    services.down(settings)
    click.echo("stopped")


@minhu.command(epilog=_example("minhu status --json"))
@as_json_option
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Tell what runs, where its data and logs are."""
    from minhu import services

    found = services.status(settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
    else:
        for name, facts in found.items():
            told = "  ".join(f"{key}={value}" for key, value in facts.items()) if isinstance(facts, dict) else facts
            click.echo(f"{name:14} {told}")


@minhu.command(epilog=_example("minhu doctor"))
@as_json_option
@click.pass_obj
def doctor(settings: Settings, as_json: bool) -> None:
    """Check what this installation stands on: database, configuration, folders. Exits 1 when a check fails."""
    from minhu.doctor import examine

    checks = examine(settings)
    _show(
        [{"check": check.name, "ok": "yes" if check.is_ok else "NO", "found": check.found} for check in checks], as_json
    )
    if not all(check.is_ok for check in checks):
        raise click.exceptions.Exit(1)


@minhu.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog=_example("minhu psql -c 'select count(*) from mart.fct_case'"),
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, arguments: tuple[str, ...]) -> None:
    """psql on the warehouse; arguments go to psql."""
    from minhu import database, postgres

    where = str(postgres.status(settings).bin_dir / "psql")
    os.execv(where, ["psql", database.url(settings), *arguments])  # noqa: S606 - the terminal becomes psql's


# -- feeds --------------------------------------------------------------------------------------------------------


@minhu.group(cls=Commands)
def feeds() -> None:
    """The declared feeds."""


@feeds.command("list", epilog=_example("minhu feeds list --json"))
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
    _show(rows, as_json)


@feeds.command("check", epilog=_example("minhu feeds check"))
@as_json_option
@click.pass_obj
def feeds_check(settings: Settings, as_json: bool) -> None:
    """Read the whole configuration and count it; the first mistake is told with file, line and key."""
    from minhu.config import check_feeds

    _show([check_feeds(settings.config)], as_json)


@feeds.command("new", epilog=_example("minhu feeds new h12399 sample.csv > config/feeds/h12399.yml"))
@click.argument("code")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def feeds_new(settings: Settings, code: str, file: Path) -> None:
    """Draft the declaration of a feed from a sample file; every guess is marked for you to check."""
    from minhu.feeds.draft import draft

    click.echo(draft(file, code, settings.config), nl=False)


@feeds.command("preview", epilog=_example("minhu feeds preview h12345 cases_20261031.csv --delivery cases"))
@click.argument("feed")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--delivery", help="Needed where the feed has several.")
@as_json_option
@click.pass_obj
def feeds_preview(settings: Settings, feed: str, file: Path, delivery: str | None, as_json: bool) -> None:
    """Show what loading FILE would do, before anything is loaded. Exits 1 when it would be refused."""
    from minhu.feeds.preview import preview
    from minhu.feeds.render import render
    from minhu.load import read_feed

    declared = read_feed(settings, feed)
    seen = preview(settings, declared, declared.delivery(_only_delivery(declared, delivery)), file)
    click.echo(json.dumps(seen.as_json(), ensure_ascii=False, indent=2, default=str) if as_json else render(seen))
    if seen.verdict == "refuse":
        raise click.exceptions.Exit(1)


@feeds.command("unresolved", epilog=_example("minhu feeds unresolved --json"))
@as_json_option
@click.pass_obj
def feeds_unresolved(settings: Settings, as_json: bool) -> None:
    """List unit names and categories that resolve to nothing, with the nearest known ones."""
    from minhu.feeds.unresolved import unresolved

    found = unresolved(settings)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
    else:
        for what, rows in found.items():
            _show(rows, as_json=False, title=what)


@feeds.command("schema", epilog=_example("minhu feeds schema > feed.schema.json"))
def feeds_schema() -> None:
    """Print the JSON Schema of a declaration, for editors that complete YAML."""
    from minhu.feeds.export import json_schema

    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))


@feeds.command("contract", epilog=_example("minhu feeds contract h12345 > h12345.odcs.yml"))
@click.argument("feed")
@click.pass_obj
def feeds_contract(settings: Settings, feed: str) -> None:
    """Print a feed's contract in the Open Data Contract Standard."""
    import yaml

    from minhu.feeds.export import as_odcs
    from minhu.load import read_feed

    click.echo(yaml.safe_dump(as_odcs(read_feed(settings, feed)), allow_unicode=True, sort_keys=False), nl=False)


def _only_delivery(feed: object, name: str | None) -> str:
    """The delivery named, or the only one. Raises UsageError where one must be named."""
    if name is None and len(feed.deliveries) > 1:
        names = ", ".join(delivery.name for delivery in feed.deliveries)
        raise click.UsageError(f"{feed.code} has several deliveries; say which with --delivery: {names}")
    return name or feed.deliveries[0].name


@minhu.command(
    epilog=_example(
        "minhu load h12345 --date 2026-10-31",
        "minhu load h12345 --delivery cases --file cases_20261031.csv",
        "minhu load --all --date 2026-10-31",
    )
)
@click.argument("feed", required=False)
@click.option("--delivery", help="Only this delivery; needed with --file where the feed has several.")
@click.option("--file", type=click.Path(path_type=Path), help="Load this file instead of looking in the drop folder.")
@click.option("--date", "business_date", type=DATE, help="Business date; yesterday unless given.")
@click.option("--all", "every", is_flag=True, help="Every declared feed.")
@as_json_option
@click.pass_obj
def load(
    settings: Settings,
    feed: str | None,
    delivery: str | None,
    file: Path | None,
    business_date: datetime | None,
    every: bool,
    as_json: bool,
) -> None:
    """Load what a feed delivered: every row staged, rejected or a duplicate, in one transaction."""
    from minhu import database
    from minhu.load import load_delivery, load_feed_day, load_file, read_feed

    if (feed is None) == (not every) or (every and (file or delivery)):
        raise click.UsageError("name one FEED, or give --all with --date")
    database.migrate(settings)
    if every:
        from minhu.feeds import load_feeds

        chosen = load_feeds(settings.config)
    else:
        chosen = (read_feed(settings, feed),)
    day = _day(business_date)
    if file:
        results = [load_file(feed, _only_delivery(chosen[0], delivery), file, day, settings=settings)]
    elif delivery:
        results = load_delivery(feed, delivery, day or _yesterday(), settings=settings)
    else:
        results = []
        with _progress(len(chosen), "loading feeds") as advance:
            for one in chosen:
                results += load_feed_day(settings, one, day or _yesterday())
                advance(one.code)
    _show_loads(results, as_json)


def _show_loads(results: list, as_json: bool) -> None:
    refusals = [result for result in results if isinstance(result, MinhuError)]
    columns = ("feed_code", "delivery", "business_date", "outcome", "batch_id", "received", "staged", "rejected")
    loads = [result.summary() for result in results if not isinstance(result, MinhuError)]
    _show(loads, as_json, (*columns, "duplicates", "reason"))
    for refusal in refusals:
        click.echo(f"minhu: {refusal}", err=True)
    if refusals:
        raise click.exceptions.Exit(1)


def _yesterday() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date() - timedelta(days=1)


@minhu.command(epilog=_example("minhu replay 17"))
@click.argument("batch_id", type=int)
@as_json_option
@click.pass_obj
def replay(settings: Settings, batch_id: int, as_json: bool) -> None:
    """Read a batch's landed file again with today's declaration; the new batch takes the old one's place."""
    from minhu.load import replay as run

    _show_loads([run(settings, batch_id)], as_json)


@minhu.command(epilog=_example("minhu rejects 17 --out rejected.csv --why '退回报送单位更正'"))
@click.argument("batch_id", type=int)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@click.pass_obj
def rejects(settings: Settings, batch_id: int, out: Path, why: str) -> None:
    """Write the rejected rows of a batch for the sender to correct. The file holds what the sender sent: guard it."""
    from minhu.load.rejects import export_rejects

    click.echo(f"{out}: {export_rejects(settings, batch_id, out, why)} rows")


@minhu.command(
    epilog=_example("minhu reconcile --date 2026-10-31", "minhu reconcile --date 2026-10-31 --xlsx day.xlsx")
)
@click.option("--date", "business_date", type=DATE, help="Business date; yesterday unless given.")
@click.option("--xlsx", type=click.Path(path_type=Path, dir_okay=False), help="Write a workbook instead.")
@as_json_option
@click.pass_obj
def reconcile(settings: Settings, business_date: datetime | None, xlsx: Path | None, as_json: bool) -> None:
    """The statement of a date: per delivery expected, sent, received, staged, rejected, duplicate, missing."""
    from minhu.warehouse.reconcile import as_markdown, write_xlsx
    from minhu.warehouse.reconcile import reconcile as run

    statement = run(settings, _day(business_date) or _yesterday())
    if xlsx:
        write_xlsx(statement, xlsx)
        click.echo(f"{xlsx}: {len(statement.lines)} deliveries")
    elif as_json:
        click.echo(json.dumps(statement.as_json(), ensure_ascii=False, indent=2))
    else:
        click.echo(as_markdown(statement))


@minhu.group(cls=Commands)
def keys() -> None:
    """The key of the caller tokens."""


@keys.command("list", epilog=_example("minhu keys list --json"))
@as_json_option
@click.pass_obj
def keys_list(settings: Settings, as_json: bool) -> None:
    """List the caller keys by id: the current one writes, earlier ones only recognise. No key is shown."""
    from minhu.privacy.keys import kept_keys

    _show([kept.summary() for kept in kept_keys(settings)], as_json)


@keys.command("rotate", epilog=_example("minhu keys rotate", "minhu keys rotate --wait 600"))
@click.option("--wait", type=click.FloatRange(min=0.1), default=10, show_default=True, help="Seconds for loads to end.")
@click.pass_obj
def keys_rotate(settings: Settings, wait: float) -> None:
    """Put a new caller key in the old one's place, between loads; the old one is kept to recognise callers."""
    from minhu.load.links import rotate_key

    click.echo(f"{rotate_key(settings, wait)} is the current key; restart nothing, the next load takes it")


@minhu.command(epilog=_example("minhu prune --dry-run", "minhu prune --json"))
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@as_json_option
@click.pass_obj
def prune(settings: Settings, dry_run: bool, as_json: bool) -> None:
    """Delete what is past retention: landed files, rejected rows, identical versions; each deletion is recorded."""
    from minhu import database
    from minhu.load.prune import STEPS
    from minhu.load.prune import prune as run

    database.migrate(settings)
    with _progress(len(STEPS), "pruning") as advance:
        gone = run(settings, dry_run=dry_run, advance=advance)
    _show([one.summary() for one in gone], as_json, title="would go" if dry_run else "pruned")


@minhu.command(epilog=_example("minhu simulate --out drop --start 2026-10-01 --days 31 --cases-per-day 970 --seed 7"))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write into; the drop folder unless given.")
@click.option("--start", type=DATE, required=True, help="First business date.")
@click.option("--days", type=click.IntRange(1), default=1, show_default=True)
@click.option("--cases-per-day", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--bundle", is_flag=True, help="All days but the last in one file per feed and kind.")
@click.pass_obj
def simulate(
    settings: Settings, out: Path | None, start: datetime, days: int, cases_per_day: int, seed: int, bundle: bool
) -> None:
    """Write what the feeds of a simulated city would send."""
    from minhu.feeds import load_feeds
    from minhu.simulate import write_city

    folder = out or settings.drop
    folder.mkdir(parents=True, exist_ok=True)
    summary = write_city(
        load_feeds(settings.config), settings.config, folder, start.date(), days, cases_per_day, seed, bundle
    )
    click.echo(f"{folder}: {len(summary.files)} files, {summary.rows} rows; simulation.json accounts for each")


# -- warehouse ----------------------------------------------------------------------------------------------------


@minhu.command(epilog=_example("minhu build", "minhu build --full-refresh"))
@click.option("--full-refresh", is_flag=True, help="Compute every case anew; the result is the same.")
@as_json_option
@click.pass_obj
def build(settings: Settings, full_refresh: bool, as_json: bool) -> None:
    """Build the facts of what was accepted since the last build.

    A build that failed leaves nothing for readers; the next one continues it unless anything it rests on has changed.
    """
    from minhu import database
    from minhu.warehouse.build import build as run

    database.migrate(settings)
    result = run(settings, full_refresh=full_refresh)
    if as_json:
        click.echo(json.dumps(result.summary(), ensure_ascii=False))
    elif result.build_id is None:
        click.echo(
            "nothing to build: no batch came or went, nothing was decided and no rule changed since the last build"
        )
    else:
        rows = "  ".join(f"{table}={count}" for table, count in result.rows.items() if table.startswith("fct_"))
        if result.continues:
            click.echo(f"continues build {result.continues}, which failed: {result.reused} models and tests reused")
        click.echo(
            f"build {result.build_id}: {result.taken} batches in, {result.withdrawn} out, {result.decisions} decisions,"
            f" {result.touched_cases} cases touched, {result.tests} tests passed, {result.seconds} s\n{rows}"
        )


@minhu.group(cls=Commands)
def quality() -> None:
    """The gates: what may enter, what may be published."""


@quality.command("run", epilog=_example("minhu quality run"))
@as_json_option
@click.pass_obj
def quality_run(settings: Settings, as_json: bool) -> None:
    """Judge the batches that were loaded: each is accepted or held."""
    from minhu.warehouse.quality import judge_arrivals

    result = judge_arrivals(settings)
    if as_json:
        click.echo(json.dumps(result.summary(), ensure_ascii=False, default=str))
        return
    click.echo(f"{len(result.accepted)} accepted, {len(result.held)} held; reports: {settings.data_docs}/index.html")
    for held in result.held:
        click.echo(f"held: batch {held.batch_id}: {held.reason}")


@quality.command("held", epilog=_example("minhu quality held --json"))
@as_json_option
@click.pass_obj
def quality_held(settings: Settings, as_json: bool) -> None:
    """List the batches that are held."""
    from minhu.warehouse.quality import list_held

    _show(list_held(settings), as_json)


@quality.command("release", epilog=_example("minhu quality release 17 --why '与热线核对无误'"))
@click.argument("batch_id", type=int)
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@click.pass_obj
def quality_release(settings: Settings, batch_id: int, why: str) -> None:
    """Let a held batch into the next build."""
    from minhu.warehouse.quality import release

    release(settings, batch_id, why)
    click.echo(f"batch {batch_id} is accepted; it enters the next build")


# -- decisions ----------------------------------------------------------------------------------------------------

reason_option = click.option("--reason", required=True, help="Why, in a few words; phone and ID numbers are masked.")
reason_code_option = click.option("--reason-code", required=True, help="Why, as a code: beyond_duty, mis_dispatched, …")
evidence_option = click.option("--evidence", "evidence_ref", help="Where the evidence is kept: a file number, a link.")
assignment_option = click.option("--assignment", "assignment_id", help="Only this assignment of the case.")
indicators_option = click.option(
    "--indicator", "indicator_codes", multiple=True, help="Only for this indicator; may be given again."
)


def _record(settings: Settings, act: str, **given: object) -> int:
    from minhu import assess

    empty_as_none = {name: list(value) or None if isinstance(value, tuple) else value for name, value in given.items()}
    return assess.record(settings, act, **empty_as_none)


def _list_decisions(settings: Settings, what: str, as_json: bool, columns: str, **wanted: str | None) -> None:
    from minhu import assess

    _show(assess.listing(settings, what, **wanted), as_json, columns.split())


def _record_file(settings: Settings, act: str, file: Path, what: str) -> None:
    from minhu import assess

    ids = assess.record_file(settings, act, file)
    click.echo(f"{file.name}: {len(ids)} {what}: {', '.join(map(str, ids))}")


@minhu.group(cls=Commands)
def appeals() -> None:
    """Appeals of units (申诉): filed by one person, decided by another."""


@appeals.command(
    "file",
    epilog=_example(
        "minhu appeals file --file appeals.csv",
        "minhu appeals file h12345 330100202610010001 --period 2026-10 --grounds mis_dispatched"
        " --statement '职责不属本单位' --evidence 2026-17",
    ),
)
@click.argument("feed", required=False)
@click.argument("case_no", required=False)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="A CSV with one appeal per row instead.")
@click.option("--period", help="The period of the result appealed against: 2026-10.")
@click.option("--unit", "unit_code", help="Code of the unit; that of your login unless given.")
@click.option("--grounds", "grounds_code", help="What the appeal rests on, as a code: mis_dispatched, beyond_duty, …")
@click.option("--statement", help="What the unit says; phone and ID numbers are masked.")
@evidence_option
@assignment_option
@click.option("--whole-case", "is_whole_case", is_flag=True, default=None, help="The case, for every unit on it.")
@indicators_option
@click.option("--scheme", "scheme_id", help="The scheme of the result appealed against.")
@click.option("--decide-by", type=DATE, help="Last day for the decision; the city's term unless given.")
@click.pass_obj
def appeals_file(
    settings: Settings, feed: str | None, case_no: str | None, file: Path | None, decide_by: datetime | None, **given
) -> None:
    """File an appeal, or all appeals of a CSV file, or none of them when a row is wrong."""
    if file:
        if feed or any(given.values()):
            raise click.UsageError("a file says everything itself: give --file alone")
        _record_file(settings, "file_appeal", file, "appeals filed")
        return
    needed = {
        "--period": "period",
        "--grounds": "grounds_code",
        "--statement": "statement",
        "--evidence": "evidence_ref",
    }
    missing = [option for option, name in needed.items() if not given[name]]
    if not case_no or missing:
        raise click.UsageError(f"give FEED and CASE_NO with {', '.join(needed)}, or --file")
    if decide_by:
        given["decide_by"] = decide_by.replace(tzinfo=ZoneInfo("Asia/Shanghai")) + timedelta(days=1)
    filed = _record(settings, "file_appeal", feed_code=feed, case_no=case_no, **given)
    click.echo(f"appeal {filed} is filed")


@appeals.command(
    "decide",
    epilog=_example(
        "minhu appeals decide 7 granted --reason-code mis_dispatched --reason '核实为错派' --from-revision 2"
    ),
)
@click.argument("appeal_id", type=int)
@click.argument("decision", type=click.Choice(["granted", "denied"]))
@reason_code_option
@reason_option
@click.option(
    "--from-revision", type=click.IntRange(1), help="First revision that leaves the rows out; 1 unless given."
)
@click.pass_obj
def appeals_decide(settings: Settings, appeal_id: int, **given) -> None:
    """Grant or deny an appeal that another login filed. What is granted leaves the facts with the next build."""
    _record(settings, "decide_appeal", appeal_id=appeal_id, **given)
    click.echo(f"appeal {appeal_id} is {given['decision']}")


@appeals.command("withdraw", epilog=_example("minhu appeals withdraw 7 --reason '已与热线协商解决'"))
@click.argument("appeal_id", type=int)
@reason_option
@click.pass_obj
def appeals_withdraw(settings: Settings, appeal_id: int, reason: str) -> None:
    """Take back an appeal of your unit that is not decided yet."""
    _record(settings, "withdraw_appeal", appeal_id=appeal_id, reason=reason)
    click.echo(f"appeal {appeal_id} is withdrawn")


@appeals.command("list", epilog=_example("minhu appeals list --state overdue", "minhu appeals list --json"))
@click.option("--period")
@click.option("--unit", help="Code of a unit.")
@click.option("--state", type=click.Choice(["filed", "overdue", "granted", "denied", "withdrawn"]))
@as_json_option
@click.pass_obj
def appeals_list(settings: Settings, as_json: bool, **wanted) -> None:
    """List the appeals with their states: all of them, or those of your unit."""
    columns = (
        "appeal_id state period unit_code feed_code case_no indicator_codes grounds_code decide_by filed_by decided_by"
    )
    _list_decisions(settings, "appeals", as_json, columns, **wanted)


@minhu.group(cls=Commands)
def exclusions() -> None:
    """Exclusions (剔除): what counts for nobody, and why."""


@exclusions.command(
    "add",
    epilog=_example(
        "minhu exclusions add h12345 330100202610010001 --reason-code statutory_channel --reason '已进入诉讼程序'"
    ),
)
@click.argument("feed")
@click.argument("case_no")
@reason_code_option
@reason_option
@evidence_option
@assignment_option
@indicators_option
@click.pass_obj
def exclusions_add(settings: Settings, feed: str, case_no: str, **given) -> None:
    """Exclude a case, or one assignment of it, for every indicator or for some, from the next build on."""
    made = _record(settings, "exclude", feed_code=feed, case_no=case_no, **given)
    click.echo(f"decision:{made} excludes it from the next build on")


@exclusions.command("revoke", epilog=_example("minhu exclusions revoke decision:12 --reason '复核后恢复计入'"))
@click.argument("exclusion_id")
@reason_option
@evidence_option
@click.pass_obj
def exclusions_revoke(settings: Settings, exclusion_id: str, **given) -> None:
    """End an exclusion that was decided here: decision:12, or appeal:7 for a granted appeal."""
    _record(settings, "revoke_exclusion", exclusion_id=exclusion_id, **given)
    click.echo(f"{exclusion_id} is revoked; what it excluded counts again from the next build on")


@exclusions.command("list", epilog=_example("minhu exclusions list --json"))
@as_json_option
@click.pass_obj
def exclusions_list(settings: Settings, as_json: bool) -> None:
    """List what is excluded: in force, decided since the last build, or revoked."""
    columns = (
        "exclusion_id state feed_code case_no assignment_id indicator_codes reason_code reason decided_by decided_at"
    )
    _list_decisions(settings, "exclusions", as_json, columns)


@minhu.group("manual-points", cls=Commands)
def manual_points() -> None:
    """Points that people give or take (人工计分): entered from a file, counted once another login approves."""


@manual_points.command("load", epilog=_example("minhu manual-points load points.csv"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def manual_points_load(settings: Settings, file: Path) -> None:
    """Enter all manual points of a CSV file, or none of them when a row is wrong."""
    _record_file(settings, "enter_manual_point", file, "manual points await approval")


@manual_points.command("revoke", epilog=_example("minhu manual-points revoke 3 --reason '重复计分' --evidence 2026-18"))
@click.argument("manual_point_id", type=int)
@reason_option
@evidence_option
@click.pass_obj
def manual_points_revoke(settings: Settings, manual_point_id: int, **given) -> None:
    """Take back a manual point; that counts, too, once another login approves."""
    made = _record(settings, "revoke_manual_point", manual_point_id=manual_point_id, **{"evidence_ref": "", **given})
    click.echo(f"manual point {made}, which revokes {manual_point_id}, awaits approval")


@manual_points.command("list", epilog=_example("minhu manual-points list --json"))
@as_json_option
@click.pass_obj
def manual_points_list(settings: Settings, as_json: bool) -> None:
    """List the manual points with their states and who judged them."""
    columns = "manual_point_id state scheme_id period unit_code indicator_code points reason entered_by judged_by"
    _list_decisions(settings, "manual-points", as_json, f"{columns} revokes_manual_point_id")


@minhu.group(cls=Commands)
def violations() -> None:
    """Violations that inspectors found and people enter (效能督查认定)."""


@violations.command(
    "add",
    epilog=_example(
        "minhu violations add 330100-D01 late_handling --found 2026-10-20 --reason '督查通报' --case h12345 3301002026"
    ),
)
@click.argument("unit_code")
@click.argument("violation_code", type=click.Choice(["not_handled", "late_handling", "improper_handling"]))
@click.option("--found", "found_at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M"]), required=True)
@reason_option
@evidence_option
@click.option("--case", type=(str, str), help="Hotline and number of the case it was found on.")
@assignment_option
@click.pass_obj
def violations_add(
    settings: Settings, unit_code: str, found_at: datetime, case: tuple[str, str] | None, **given
) -> None:
    """Enter a violation of a unit; it is a fact from the next build on."""
    if case:
        given |= {"feed_code": case[0], "case_no": case[1]}
    found_at = found_at.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    made = _record(settings, "enter_violation", unit_code=unit_code, found_at=found_at, **given)
    click.echo(f"violation {made} is entered")


@violations.command("revoke", epilog=_example("minhu violations revoke 4 --reason '复核不成立'"))
@click.argument("violation_id", type=int)
@reason_option
@evidence_option
@click.pass_obj
def violations_revoke(settings: Settings, violation_id: int, **given) -> None:
    """Take back a violation that was entered here."""
    _record(settings, "revoke_violation", violation_id=violation_id, **given)
    click.echo(f"violation {violation_id} is revoked")


@violations.command("list", epilog=_example("minhu violations list --json"))
@as_json_option
@click.pass_obj
def violations_list(settings: Settings, as_json: bool) -> None:
    """List the violations that were entered; those told by feeds are rows of mart.fct_violation."""
    columns = "violation_id state unit_code violation_code found_at feed_code case_no reason entered_by revoked_by"
    _list_decisions(settings, "violations", as_json, columns)


@minhu.group(cls=Commands)
def approvals() -> None:
    """Approvals (审批): another person's word on what somebody entered."""


@approvals.command(
    "add",
    epilog=_example(
        "minhu approvals add manual_point 3 --reason '与通报一致'",
        "minhu approvals add manual_point 4 --reject --reason '缺少依据'",
        "minhu approvals add closing 1 --reason '数据与口径已核对'",
    ),
)
@click.argument("subject_kind")
@click.argument("subject_id")
@click.option("--reject", is_flag=True, help="Reject it instead.")
@reason_option
@click.pass_obj
def approvals_add(settings: Settings, subject_kind: str, subject_id: str, reject: bool, reason: str) -> None:
    """Approve or reject what another login entered or closed: SUBJECT_KIND is manual_point or closing."""
    verdict = "rejected" if reject else "approved"
    _record(settings, "approve", subject_kind=subject_kind, subject_id=subject_id, verdict=verdict, reason=reason)
    click.echo(f"{subject_kind} {subject_id} is {verdict}")


@approvals.command("list", epilog=_example("minhu approvals list --json"))
@as_json_option
@click.pass_obj
def approvals_list(settings: Settings, as_json: bool) -> None:
    """List the approvals."""
    _list_decisions(
        settings, "approvals", as_json, "approval_id subject_kind subject_id verdict reason approved_by approved_at"
    )


# -- scores -------------------------------------------------------------------------------------------------------


@minhu.group(cls=Commands)
def schemes() -> None:
    """The assessment schemes."""


@schemes.command("list", epilog=_example("minhu schemes list --json"))
@as_json_option
@click.pass_obj
def schemes_list(settings: Settings, as_json: bool) -> None:
    """List the schemes with their versions, and which of them score this city."""
    from minhu.config import schemes_in_force
    from minhu.scoring import load_schemes

    in_force = schemes_in_force(settings.config)
    _show(
        [
            {
                "scheme": s.scheme_id,
                "version": s.scheme_version,
                "title": s.title,
                "valid_from": s.valid_from,
                "valid_to": s.valid_to,
                "in_force": s.scheme_id in in_force,
            }
            for s in load_schemes(settings.config)
        ],
        as_json,
    )


@schemes.command(
    "check", epilog=_example("minhu schemes check", "minhu schemes check lianyungang", "minhu schemes check draft.yml")
)
@click.argument("named", nargs=-1, metavar="[ID|FILE]...")
@as_json_option
@click.pass_obj
def schemes_check(settings: Settings, named: tuple[str, ...], as_json: bool) -> None:
    """Read schemes, all of them unless named; the first mistake is told with file, line and key."""
    from minhu.config import schemes_in_force
    from minhu.scoring import find_scheme, load_schemes

    load_schemes(settings.config, schemes_in_force(settings.config))
    chosen = [find_scheme(settings.config, one) for one in named] if named else load_schemes(settings.config)
    _show(
        [
            {
                "scheme": s.scheme_id,
                "version": s.scheme_version,
                "indicators": len(s.indicators),
                "points": {group.name_zh: str(s.points_max(group.code, s.valid_from)) for group in s.peer_groups},
                "periods": list(s.periods),
                "changes": [str(day) for day in s.changes],
                "examples": len(s.examples),
            }
            for s in chosen
        ],
        as_json,
    )


@schemes.command(
    "try",
    epilog=_example(
        "minhu schemes try lianyungang --inputs counts.csv", "minhu schemes try draft.yml --inputs counts.csv --json"
    ),
)
@click.argument("scheme", metavar="ID|FILE")
@click.option("--inputs", type=click.Path(path_type=Path), required=True, help="CSV with the counts; see below.")
@as_json_option
@click.pass_obj
def schemes_try(settings: Settings, scheme: str, inputs: Path, as_json: bool) -> None:
    """Points from given counts (试算), without a database.

    The CSV has the columns unit, peer_group, period, indicator_code, numerator, denominator, value. Give counts, or a
    value: a rate in percent (0-100), a number of items, or points that are entered by hand. What is not given is empty:
    the scheme says what that is worth, and the result names it.
    """
    from minhu.scoring import find_scheme, render_trial, try_scheme

    trial = try_scheme(find_scheme(settings.config, scheme), inputs)
    click.echo(
        json.dumps(trial.as_json(), ensure_ascii=False, indent=2) if as_json else render_trial(trial), nl=as_json
    )


@schemes.command("simulate", epilog=_example("minhu schemes simulate linan 2026-10 --file draft.yml"))
@click.argument("scheme", metavar="ID")
@click.argument("period")
@click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="The draft.")
@as_json_option
@click.pass_obj
def schemes_simulate(settings: Settings, scheme: str, period: str, file: Path, as_json: bool) -> None:
    """Score PERIOD, which was scored by the scheme ID, under the draft: who moves, and why. Nothing is kept."""
    from minhu.scoring import read_scheme, render_what_if, what_if

    found = what_if(settings, scheme, read_scheme(file), period)
    told = json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else render_what_if(found)
    click.echo(told, nl=as_json)


@schemes.command("diff", epilog=_example("minhu schemes diff linan draft.yml"))
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@as_json_option
@click.pass_obj
def schemes_diff(settings: Settings, old: str, new: str, as_json: bool) -> None:
    """Compare two schemes, each an id or a file, and say in words what differs."""
    from minhu.scoring import compare, find_scheme

    changes = compare(find_scheme(settings.config, old), find_scheme(settings.config, new))
    if as_json:
        _show([{**vars(change), "text": change.text} for change in changes], as_json=True)
    else:
        click.echo("\n".join(change.text for change in changes) or "两个版本内容相同")


@minhu.group()
def callers() -> None:
    """Callers, for the hotline office. Whoever looks is recorded."""


@callers.command(
    "frequent",
    epilog=_example(
        "minhu callers frequent --since 2026-10-01 --until 2026-10-31 --min 10 --why '高频来电人研判'",
        "minhu callers frequent --why '高频来电人研判' --json",
    ),
)
@click.option("--since", type=DATE, help="First day of receipt; from the beginning unless given.")
@click.option("--until", type=DATE, help="Last day of receipt; to the end unless given.")
@click.option("--min", "at_least", type=click.IntRange(1), default=5, show_default=True, help="So many cases or more.")
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@as_json_option
@click.pass_obj
def callers_frequent(
    settings: Settings, since: datetime | None, until: datetime | None, at_least: int, why: str, as_json: bool
) -> None:
    """List who calls often: the phone masked, how many cases and repeats, about what, for whom."""
    from minhu.warehouse.callers import COLUMNS, frequent

    first, last = (day and day.date() for day in (since, until))
    _show(frequent(settings, why, since=first, until=last, at_least=at_least), as_json, COLUMNS)


@minhu.group()
def logins() -> None:
    """Logins for people and tools: who reads, who decides, who speaks for a unit."""


@logins.command("list", epilog=_example("minhu logins list --json"))
@as_json_option
@click.pass_obj
def logins_list(settings: Settings, as_json: bool) -> None:
    """List who may read what, and how long one of their statements may run."""
    from minhu import access, database

    with database.connect(settings) as connection:
        _show(access.logins(connection), as_json, ["name", "group", "units", "statement_timeout"])


@logins.command(
    "add",
    epilog=_example(
        "minhu logins add superset --group bi",
        "minhu logins add audit1 --group auditor",
        "minhu logins add chengguan1 --group unit --unit 330112A05",
    ),
)
@click.argument("name")
@click.option(
    "--group", type=click.Choice(["bi", "evaluator", "auditor", "unit"]), required=True, help="What it may do."
)
@click.option("--timeout", default="60s", show_default=True, help="How long one statement may run.")
@click.option("--unit", help="Code of the unit that a login of the group unit speaks for.")
@click.pass_obj
def logins_add(settings: Settings, name: str, group: str, timeout: str, unit: str | None) -> None:
    """Make a login. bi and auditor only read, evaluator also decides, unit files appeals of its unit.

    Its password is shown once and kept nowhere.
    """
    from minhu import access, database

    database.migrate(settings)
    with database.connect(settings) as connection:
        password = access.add_login(connection, name, group, timeout, unit)
    click.echo(f"{name}: {password}")


@logins.command("drop", epilog=_example("minhu logins drop superset"))
@click.argument("name")
@click.pass_obj
def logins_drop(settings: Settings, name: str) -> None:
    """Remove a login that was made here."""
    from minhu import access, database

    with database.connect(settings) as connection:
        access.drop_login(connection, name)
    click.echo(f"{name} is gone")


@minhu.command(epilog=_example("minhu dictionary > docs/metrics.md"))
def dictionary() -> None:
    """Print the metric dictionary: every measure and every column of mart, as Markdown."""
    from minhu.warehouse import dictionary as book

    click.echo(book.dictionary(), nl=False)


@minhu.command(epilog=_example("minhu score 2026-10", "minhu score 2026-10 --scheme linan --json"))
@click.argument("period")
@click.option("--scheme", "scheme_id", help="The only one in force unless given.")
@as_json_option
@click.pass_obj
def score(settings: Settings, period: str, scheme_id: str | None, as_json: bool) -> None:
    """Score the units over PERIOD (YYYY-MM or YYYY)."""
    from minhu.scoring import render_scores
    from minhu.scoring import score as run

    result = run(settings, period, scheme_id)
    click.echo(json.dumps(result.as_json(), ensure_ascii=False, default=str) if as_json else render_scores(result))


@minhu.command(
    epilog=_example("minhu explain 太湖源镇 2026-10", "minhu explain 太湖源镇 2026-10 --indicator close_on_time")
)
@click.argument("unit")
@click.argument("period")
@click.option("--indicator")
@as_json_option
@click.pass_obj
def explain(settings: Settings, unit: str, period: str, indicator: str | None, as_json: bool) -> None:
    """Say why UNIT lost its points in PERIOD, down to case numbers, files and rows."""
    from minhu.scoring import explain as run
    from minhu.scoring import render

    found = run(settings, unit, period, indicator)
    click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2, default=str) if as_json else render(found))


@minhu.group(cls=Commands)
def audit() -> None:
    """What auditors look at."""


@audit.command("gaming", epilog=_example("minhu audit gaming 2026-10", "minhu audit gaming 2026 --json"))
@click.argument("period")
@as_json_option
@click.pass_obj
def audit_gaming(settings: Settings, period: str, as_json: bool) -> None:
    """List patterns of PERIOD that are worth a look: information, never a deduction."""
    from minhu.scoring.gaming import gaming

    rows = [signal.as_json() | {"example": signal.example_ids[0]} for signal in gaming(settings, period)]
    columns = ("month_on", "unit_name", "signal_zh", "found", "of_total", "found_pct", "usual_pct", "example")
    _show(rows, as_json, columns, f"patterns of {period}")


@minhu.command(
    epilog=_example(
        "minhu export 2026-10 --out 2026-10.xlsx",
        "minhu export 2026-10 --out 通报.pdf --number '〔2026〕10号'",
        "minhu export 2026-10 --out 通报.docx --public",
        "minhu export 2026-10 --out 太湖源镇.pdf --unit 太湖源镇",
        "minhu export 2026-10 --out rows.csv --table evidence",
    )
)
@click.argument("period")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option(
    "--format", "form", type=click.Choice(["xlsx", "csv", "json", "docx", "pdf"]), help="By the name of --out."
)
@click.option("--scheme", "scheme_id", help="Needed where several schemes scored the period.")
@click.option("--unit", "units", multiple=True, help="Code or name; its lost points row by row. May be repeated.")
@click.option("--public", "is_public", is_flag=True, help="Without small counts (under 5) and without any row.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option(
    "--table", type=click.Choice(["indicators", "units", "evidence"]), help="Of a CSV; indicators unless given."
)
@click.option("--number", help="The document number (文号) of the bulletin.")
@click.pass_obj
def export(
    settings: Settings,
    period: str,
    out: Path,
    form: str | None,
    scheme_id: str | None,
    units: tuple[str, ...],
    is_public: bool,
    lang: str,
    table: str | None,
    number: str | None,
) -> None:
    """Write the scores of PERIOD (YYYY-MM or YYYY): a workbook, CSV, JSON, or the bulletin (通报) as DOCX or PDF."""
    from minhu.export import FORMATS, Asked
    from minhu.export import export as run

    form = form or out.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise click.UsageError(f"name the format with --format: {', '.join(FORMATS)}")
    if table and form != "csv":
        raise click.UsageError("--table goes with --format csv")
    asked = Asked(form, lang, units, is_public, table or "indicators", number)
    report = run(settings, period, out, asked, scheme_id)
    standing = "published" if report.release else "draft (未发布·试算)"
    click.echo(f"{out}: {report.scheme_id} {report.period}, {sum(1 for _ in report.units())} units, {standing}")


# -- publishing ---------------------------------------------------------------------------------------------------

scheme_option = click.option("--scheme", "scheme_id", help="The only one unless given.")
why_option = click.option("--why", required=True, help="The reason; it is published with your database login.")


@minhu.command(epilog=_example("minhu close 2026-10", "minhu close 2026-11 --early"))
@click.argument("period")
@scheme_option
@click.option("--early", "is_early", is_flag=True, help="Freeze a period that is not over; the result is indicative.")
@as_json_option
@click.pass_obj
def close(settings: Settings, period: str, scheme_id: str | None, is_early: bool, as_json: bool) -> None:
    """Close PERIOD (关账): score it, ask the release gate, freeze the numbers and what they rest on."""
    from minhu.publish import close as run

    _show_closing(run(settings, period, scheme_id, is_early=is_early, tell=_tell), as_json)


@minhu.command(epilog=_example("minhu revise 2026-10 --why '申诉 7 获准，补报两个批次'"))
@click.argument("period")
@why_option
@scheme_option
@as_json_option
@click.pass_obj
def revise(settings: Settings, period: str, why: str, scheme_id: str | None, as_json: bool) -> None:
    """Close a published PERIOD anew as its next revision, and tell what moved and why."""
    from minhu.publish import diff, render_diff
    from minhu.publish import revise as run

    closing = run(settings, period, scheme_id, why=why, tell=_tell)
    moved = diff(settings, closing.period, closing.revision, closing.scheme_id)
    if as_json:
        _show_json(closing.as_json() | {"state": closing.state, "diff": moved.as_json()})
        return
    _show_closing(closing, as_json)
    click.echo(render_diff(moved))


@minhu.command(epilog=_example("minhu publish 2026-10"))
@click.argument("period")
@scheme_option
@as_json_option
@click.pass_obj
def publish(settings: Settings, period: str, scheme_id: str | None, as_json: bool) -> None:
    """Publish what was closed of PERIOD last, once another login than the closer's has approved it."""
    from minhu.publish import publish as run

    release = run(settings, period, scheme_id)
    if as_json:
        _show_json(release.as_json())
        return
    click.echo(
        f"{release.period} 第 {release.revision} 次发布（release {release.release_id}）：{release.row_count} 行，"
        f"{release.closed_by} 关账，{release.approved_by} 审批\n哈希 {release.hash}"
    )


@minhu.command(
    epilog=_example("minhu verify 2026-10", "minhu verify 2026-10 --revision 1", "minhu verify 2026-10 --chain-only")
)
@click.argument("period")
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@scheme_option
@click.option("--chain-only", is_flag=True, help="Check hashes only; compute nothing anew.")
@as_json_option
@click.pass_obj
def verify(
    settings: Settings, period: str, revision: int | None, scheme_id: str | None, chain_only: bool, as_json: bool
) -> None:
    """Prove what was published: all hashes, and PERIOD computed anew from its inputs. Exits 1 on a finding."""
    from minhu.publish import render_verification
    from minhu.publish import verify as run

    found = run(settings, period, revision, scheme_id, chain_only=chain_only, tell=_tell)
    _show_json(found.as_json()) if as_json else click.echo(render_verification(found))
    if not found.is_ok:
        raise click.exceptions.Exit(1)


@minhu.group(cls=Commands)
def closings() -> None:
    """What was closed, published or not."""


@closings.command("list", epilog=_example("minhu closings list", "minhu closings list --period 2026-10 --json"))
@click.option("--period")
@as_json_option
@click.pass_obj
def closings_list(settings: Settings, period: str | None, as_json: bool) -> None:
    """List the closings with their states and who closed, approved or rejected them."""
    from minhu.publish import list_closings

    columns = "closing_id scheme_id period revision state closed_by closed_at approved_by rejected_by content_hash why"
    rows = [closing.as_json() | {"state": closing.state} for closing in list_closings(settings, period)]
    _show(rows, as_json, columns.split())


@minhu.group(cls=Commands)
def releases() -> None:
    """What was published: every period, every revision."""


@releases.command("list", epilog=_example("minhu releases list --json"))
@as_json_option
@click.pass_obj
def releases_list(settings: Settings, as_json: bool) -> None:
    """List the releases in the order of their publication."""
    from minhu.publish import list_releases

    columns = "release_id scheme_id period revision published_at closed_by approved_by published_by row_count hash why"
    _show([release.as_json() for release in list_releases(settings)], as_json, columns.split())


@releases.command("show", epilog=_example("minhu releases show 2026-10", "minhu releases show 2026-10 --revision 1"))
@click.argument("period")
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@scheme_option
@as_json_option
@click.pass_obj
def releases_show(settings: Settings, period: str, revision: int | None, scheme_id: str | None, as_json: bool) -> None:
    """Show a published result: who stands for it, and the score of every unit."""
    from minhu.publish import show_release

    release, scores = show_release(settings, period, revision, scheme_id)
    if as_json:
        _show_json(release.as_json() | {"units": scores})
        return
    columns = "peer_group unit_code unit_name raw_points score_100 assessed_points band rank_in_group not_ranked_reason"
    click.echo(
        f"{release.period} 第 {release.revision} 次发布，{release.published_at:%Y-%m-%d %H:%M}，"
        f"{release.closed_by} 关账，{release.approved_by} 审批{f'，{release.why}' if release.why else ''}\n"
        f"哈希 {release.hash}"
    )
    _show(scores, as_json=False, columns=columns.split())


@releases.command("diff", epilog=_example("minhu releases diff 2026-10", "minhu releases diff 2026-10 --revision 2"))
@click.argument("period")
@click.option("--revision", type=click.IntRange(2), help="The newest, published or only closed, unless given.")
@scheme_option
@as_json_option
@click.pass_obj
def releases_diff(settings: Settings, period: str, revision: int | None, scheme_id: str | None, as_json: bool) -> None:
    """Tell what a revision of PERIOD changed: whose points, which indicators, which cases, and why."""
    from minhu.publish import diff, render_diff

    moved = diff(settings, period, revision, scheme_id)
    _show_json(moved.as_json()) if as_json else click.echo(render_diff(moved))


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _show_json(value: dict) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _show_closing(closing, as_json: bool) -> None:
    if as_json:
        _show_json(closing.as_json() | {"state": closing.state})
        return
    from minhu.publish import render_closing

    click.echo(render_closing(closing))


@minhu.command(epilog=_example("minhu demo"))
@click.pass_obj
def demo(settings: Settings) -> None:
    """Simulate a month of a small city and run it through the whole chain, with the real scheduler."""
    from minhu.demo import run

    run(settings)


def _progress(total: int, what: str):
    from minhu.progress import progress

    return progress(total, what)


if __name__ == "__main__":
    main()
