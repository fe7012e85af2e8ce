"""Deliveries: which came, which are late or missing, and which need not come."""

from datetime import date, datetime, timedelta

import click

from minhu.cli.assess import reason_option
from minhu.cli.common import DATE, Commands, OneOf, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def deliveries() -> None:
    """Deliveries: the state of each feed's, date by date."""


def _states() -> list[str]:
    from minhu.glossary.delivered import DELIVERY_STATE

    return list(DELIVERY_STATE)


@deliveries.command(
    "list",
    epilog=example(
        "minhu deliveries list",
        "minhu deliveries list --from 2026-10-01 --to 2026-10-31 --state missing --state late",
        "minhu deliveries list --date 2026-10-31 --all --json",
    ),
)
@click.option("--date", "on", type=DATE, help="Business date; yesterday unless given.")
@click.option("--from", "first", type=DATE, help="First business date of a span.")
@click.option("--to", "last", type=DATE, help="Last business date of a span; yesterday unless given.")
@click.option("--state", "states", multiple=True, type=OneOf(_states), help="Only those in this state.")
@click.option("--all", "is_all", is_flag=True, help="Those that are accepted, too.")
@as_json_option
@click.pass_obj
def deliveries_list(
    settings: Settings,
    on: datetime | None,
    first: datetime | None,
    last: datetime | None,
    states: tuple[str, ...],
    is_all: bool,
    as_json: bool,
) -> None:
    """List the deliveries that are not in, or those in a state: since when, and why."""
    from minhu.glossary.delivered import DELIVERY_STATE
    from minhu.warehouse.deliveries import deliveries

    if on and (first or last):
        raise click.UsageError("--date is one day: give that, or --from and --to")
    yesterday = datetime.now(settings.zone).date() - timedelta(days=1)
    until = _day(on or last, yesterday)
    found = deliveries(settings, _day(on or first, until), until)
    wanted = states or (() if is_all else [state for state in DELIVERY_STATE if state not in ("accepted", "empty")])
    rows = [one.summary() for one in found if not wanted or one.state in wanted]
    if not as_json:
        rows = [row | {"state": DELIVERY_STATE.zh(row["state"])} for row in rows]
    columns = "business_date feed_code delivery state since due_at is_mandatory is_late batches reason_code reason"
    show(rows, as_json, columns.split(), title="送达")


def _day(given: datetime | None, otherwise: date) -> date:
    return given.date() if given else otherwise


@deliveries.command(
    "waive",
    epilog=example("minhu deliveries waive h12345 --from 2026-10-01 --to 2026-10-07 --reason '国庆停机，已函告'"),
)
@click.argument("feed_code")
@click.option("--delivery", help="One of its deliveries; all unless given.")
@click.option("--from", "first_on", type=DATE, required=True, help="First business date.")
@click.option("--to", "last_on", type=DATE, required=True, help="Last business date.")
@reason_option
@click.pass_obj
def deliveries_waive(
    settings: Settings, feed_code: str, delivery: str | None, first_on: datetime, last_on: datetime, reason: str
) -> None:
    """Say that a feed need not deliver on some dates: nobody is reminded, and no build waits."""
    from minhu import assess

    given = {"feed_code": feed_code, "delivery": delivery, "first_on": first_on.date(), "last_on": last_on.date()}
    made = assess.record(settings, "waive_delivery", reason=reason, **given)
    click.echo(f"waiver {made} holds for {first_on:%Y-%m-%d} to {last_on:%Y-%m-%d}")


@deliveries.command("unwaive", epilog=example("minhu deliveries unwaive 3 --reason '提前恢复'"))
@click.argument("waiver_id", type=int)
@reason_option
@click.pass_obj
def deliveries_unwaive(settings: Settings, waiver_id: int, reason: str) -> None:
    """Take back a waiver of deliveries; what is missing counts as missing again."""
    from minhu import assess

    assess.record(settings, "revoke_delivery_waiver", delivery_waiver_id=waiver_id, reason=reason)
    click.echo(f"waiver {waiver_id} is revoked")


@deliveries.command("waivers", epilog=example("minhu deliveries waivers --json"))
@as_json_option
@click.pass_obj
def deliveries_waivers(settings: Settings, as_json: bool) -> None:
    """List what was waived: in force, expired, or revoked."""
    from minhu import assess

    columns = "delivery_waiver_id state feed_code delivery first_on last_on reason waived_by waived_at"
    show(assess.listing(settings, "delivery_waivers"), as_json, columns.split())
