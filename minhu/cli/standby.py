"""The standby: where who only reads is served."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from minhu.cli.common import Commands, as_json_option, example
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def standby() -> None:
    """A standby of the database for who only reads: BI tools, extracts. Of another server MINHU_READ_URL names it."""


@standby.command("make", epilog=example("minhu standby make", "minhu standby make --at /disk2/minhu-standby"))
@click.option("--at", type=click.Path(path_type=Path, file_okay=False), help="An empty folder, on another disk.")
@click.pass_obj
def standby_make(settings: Settings, at: Path | None) -> None:
    """Make a standby of the embedded server and start it, while everything runs.

    It takes as much disk as the database. From then on `minhu up` starts it, and BI tools are told of it.
    """
    from minhu.database import standby

    made = standby.make(settings, at)
    click.echo(f"{made.data_dir.parent}: follows, at {made.host}:{made.port}")


@standby.command("up", epilog=example("minhu standby up"))
@click.pass_obj
def standby_up(settings: Settings) -> None:
    """Start the standby of this home."""
    from minhu.database import standby

    made = standby.start(settings)
    click.echo(f"follows, at {made.host}:{made.port}")


@standby.command("down", epilog=example("minhu standby down"))
@click.pass_obj
def standby_down(settings: Settings) -> None:
    """Stop the standby of this home until `minhu standby up`; the primary keeps up to 10 GB of log for it meanwhile."""
    from minhu.database import standby

    click.echo("stopped" if standby.stop(settings, for_good=True) else "nothing ran")


@standby.command("drop", epilog=example("minhu standby drop"))
@click.pass_obj
def standby_drop(settings: Settings) -> None:
    """Remove the standby of this home with its files, its login and its slot."""
    from minhu.database import standby

    standby.drop(settings)
    click.echo("removed")


@standby.command("status", epilog=example("minhu standby status --json"))
@as_json_option
@click.pass_obj
def standby_status(settings: Settings, as_json: bool) -> None:
    """Tell where the standby is, how far behind, and up to which build; exit 1 where nobody should read there."""
    from minhu import database

    with database.connect(settings) as connection:
        found = database.standing(settings, connection)
    if as_json:
        click.echo(json.dumps(found and asdict(found), ensure_ascii=False, default=str))
    elif found is None:
        click.echo("there is no standby: who reads is served by the primary")
    else:
        built = f"; built {found.built_at.astimezone(settings.zone):%Y-%m-%d %H:%M}" if found.built_at else ""
        click.echo(f"{found.en}{built}")
    if found and found.trouble:
        raise click.exceptions.Exit(1)
