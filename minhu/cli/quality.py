"""The gates: what may enter, what may be published, and the rules behind them."""

import json

import click

from minhu.cli.common import Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def quality() -> None:
    """The gates: what may enter, what may be published."""


@quality.command("run", epilog=example("minhu quality run"))
@as_json_option
@click.pass_obj
def quality_run(settings: Settings, as_json: bool) -> None:
    """Judge the batches that were loaded: each is accepted or held."""
    from minhu.quality import judge_arrivals

    result = judge_arrivals(settings)
    if as_json:
        click.echo(json.dumps(result.summary(), ensure_ascii=False, default=str))
        return
    click.echo(f"{len(result.accepted)} accepted, {len(result.held)} held; reports: {settings.data_docs}/index.html")
    for held in result.held:
        click.echo(f"held: batch {held.batch_id}: {held.reason}")


@quality.command("held", epilog=example("minhu quality held --json"))
@as_json_option
@click.pass_obj
def quality_held(settings: Settings, as_json: bool) -> None:
    """List the batches that are held."""
    from minhu.quality import list_held

    show(list_held(settings), as_json)


@quality.command("release", epilog=example("minhu quality release 17 --why '与热线核对无误'"))
@click.argument("batch_id", type=int)
@click.option("--why", required=True, help="The reason; it is kept with your database login.")
@click.pass_obj
def quality_release(settings: Settings, batch_id: int, why: str) -> None:
    """Let a held batch into the next build."""
    from minhu.quality import release_batch

    release_batch(settings, batch_id, why)
    click.echo(f"batch {batch_id} is accepted; it enters the next build")


@quality.command(
    "rules", epilog=example("minhu quality rules", "minhu quality rules --markdown > docs/quality-rules.md")
)
@click.option("--markdown", is_flag=True, help="The register as a page.")
@as_json_option
def quality_rules(markdown: bool, as_json: bool) -> None:
    """List the rules of both gates: what is required, on what basis, who answers for it."""
    from minhu.quality import register

    if markdown:
        click.echo(register.markdown(), nl=False)
    else:
        show(register.rules(), as_json, register.COLUMNS)


@quality.command("coverage", epilog=example("minhu quality coverage", "minhu quality coverage --bare --json"))
@click.option("--bare", is_flag=True, help="Only the columns that nothing guards.")
@as_json_option
@click.pass_obj
def quality_coverage(settings: Settings, bare: bool, as_json: bool) -> None:
    """List the columns of staging and mart with the rules, tests and door checks that guard each."""
    from minhu import database
    from minhu.quality.coverage import COLUMNS, coverage

    database.migrate(settings)
    found = coverage(settings)
    show([column.as_json() for column in found if not (bare and column.is_guarded)], as_json, COLUMNS)
    if not as_json:
        unguarded = sum(not column.is_guarded for column in found)
        click.echo(f"{len(found)} columns, {len(found) - unguarded} guarded, {unguarded} by nothing")
