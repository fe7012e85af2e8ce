"""Anchors: the hashes of what was published, and the witnesses outside that keep them."""

import click

from minhu.cli.common import Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.glossary.decided import DELIVERY_OUTCOME, WITNESS
from minhu.settings import Settings


@minhu.group(cls=Commands)
def anchors() -> None:
    """Hashes of what was published (锚点), and the witnesses outside (外部见证) that keep them."""


@anchors.command("check", epilog=example("minhu anchors check"))
@as_json_option
@click.pass_obj
def anchors_check(settings: Settings, as_json: bool) -> None:
    """Try whether each witness of city.yml can be reached now. Exits 1 when none can."""
    from minhu.publish.witnesses import check

    found = check(settings)
    rows = [
        {"witness": one.name, "kept_by": one.kept_by, "kind": one.by.type, "sent_to": one.by.sent_to, "error": error}
        for one, error in found
    ]
    show(rows, as_json, title="witnesses")
    if all(error for _, error in found):
        raise click.exceptions.Exit(1)


@anchors.command("send", epilog=example("minhu anchors send"))
@as_json_option
@click.pass_obj
def anchors_send(settings: Settings, as_json: bool) -> None:
    """Send every witness what it has not had yet. Exits 1 when something was not delivered."""
    from minhu.publish.witnesses import send

    made = send(settings)
    rows = [
        {"period": one.period, "revision": one.revision, "witness": one.witness.name, "error": one.error}
        for one in made
    ]
    show(rows, as_json, title="to send")
    if any(one.error for one in made):
        raise click.exceptions.Exit(1)


@anchors.command("list", epilog=example("minhu anchors list --period 2026-10 --json"))
@click.option("--period")
@as_json_option
@click.pass_obj
def anchors_list(settings: Settings, period: str | None, as_json: bool) -> None:
    """List what was sent to whom, delivered or not."""
    from minhu.publish.witnesses import list_deliveries

    columns = "period revision witness kept_by kind_zh sent_to outcome_zh recorded_at recorded_by detail".split()
    rows = [
        one | {"kind_zh": WITNESS.zh(one["kind"]), "outcome_zh": DELIVERY_OUTCOME.zh(one["outcome"])}
        for one in list_deliveries(settings, period)
    ]
    show(rows, as_json, columns, title="sent")


@anchors.command("show", epilog=example("minhu anchors show 2026-10"))
@click.argument("period")
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@click.option("--scheme", "scheme_id", help="The only one unless given.")
@click.pass_obj
def anchors_show(settings: Settings, period: str, revision: int | None, scheme_id: str | None) -> None:
    """Show the anchor of a release as the warehouse has it now: to be kept outside, since here it proves nothing."""
    from minhu.publish.testimony import own_anchor

    click.echo(own_anchor(settings, period, revision, scheme_id))
