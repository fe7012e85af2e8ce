"""Incidents: the faults that stand, whom they were told, and the digest of the day."""

import click

from minhu.cli.common import Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def incidents() -> None:
    """Incidents: one for each fault, from when it is found until it is mended."""


@incidents.command("list", epilog=example("minhu incidents list", "minhu incidents list --all --json"))
@click.option("--all", "is_all", is_flag=True, help="Those that are mended, too.")
@as_json_option
@click.pass_obj
def incidents_list(settings: Settings, is_all: bool, as_json: bool) -> None:
    """List the faults that stand: what, since when, how to mend it."""
    from minhu.glossary.watched import INCIDENT
    from minhu.watch.incidents import incidents

    rows = [one.summary() for one in incidents(settings, is_open=not is_all)]
    if not as_json:
        rows = [row | {"kind": INCIDENT.zh(row["kind"])} for row in rows]
    columns = "incident_id kind what since closed_at mend" if is_all else "incident_id kind what since mend"
    show(rows, as_json, columns.split(), title="事件")


@incidents.command("told", epilog=example("minhu incidents told --json"))
@as_json_option
@click.pass_obj
def incidents_told(settings: Settings, as_json: bool) -> None:
    """List who was told of which incident, which step, and what came of it."""
    from minhu.watch.incidents import told

    columns = "incident_id kind recipient step state attempts told_at error"
    show(told(settings), as_json, columns.split(), title="提醒")


@incidents.command("look", epilog=example("minhu incidents look"))
@click.pass_obj
def incidents_look(settings: Settings) -> None:
    """Look for faults and tell them now, as the keeper of the house does each minute."""
    from minhu.watch.keeper import once

    for line in once(settings) or ["nothing new"]:
        click.echo(line)


@incidents.command("digest", epilog=example("minhu incidents digest"))
@click.pass_obj
def incidents_digest(settings: Settings) -> None:
    """Show the digest of the day as it would be sent now; nothing is sent."""
    from minhu.watch.digest import digest

    click.echo(digest(settings))


@incidents.command("probe", epilog=example("minhu incidents probe"))
@click.pass_obj
def incidents_probe(settings: Settings) -> None:
    """Send a message to every recipient of `notify` in city.yml, and say who took it. Exits 1 where one did not."""
    from minhu.watch.incidents import probe

    refusals = 0
    for name, refusal in probe(settings):
        click.echo(f"{name}: {refusal.words if refusal else '已送达'}")
        refusals += refusal is not None
    if refusals:
        raise click.exceptions.Exit(1)
