"""What the gates found and nobody has made good, and what people waive of it."""

from datetime import datetime

import click

from minhu.cli.assess import reason_option
from minhu.cli.common import DATE, Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def findings() -> None:
    """What the gates found and nothing has made good since."""


@findings.command("list", epilog=example("minhu findings list", "minhu findings list --escalated --json"))
@click.option("--escalated", is_flag=True, help="Only those that stop a release.")
@as_json_option
@click.pass_obj
def findings_list(settings: Settings, escalated: bool, as_json: bool) -> None:
    """List the open findings: which rule, of which feed or period, since when, waived until when."""
    from minhu import assess

    columns = "rule_id severity feed_code subject first_failed_at failures age_days waiver_id waived_until is_escalated"
    show(assess.listing(settings, "findings", state="escalated" if escalated else None), as_json, columns.split())


@minhu.group(cls=Commands)
def waivers() -> None:
    """Waivers (豁免): a person's word that a warning may stand, until a day."""


@waivers.command(
    "add",
    epilog=example(
        "minhu waivers add arrival.category_known --feed h12345 --until 2026-12-31 --reason '新分类表下月启用'",
        "minhu waivers add release.units_resolved --scheme linan --period 2026-10 --until 2026-11-30 --reason '已函询'",
    ),
)
@click.argument("rule_id")
@click.option("--feed", "feed_code", help="The feed it holds for.")
@click.option("--scheme", "scheme_id", help="With --period: the scheme it holds for.")
@click.option("--period", help="With --scheme: the period it holds for.")
@click.option("--until", "expires_on", type=DATE, required=True, help="Last day on which it holds.")
@reason_option
@click.pass_obj
def waivers_add(settings: Settings, rule_id: str, expires_on: datetime, **given: str | None) -> None:
    """Waive what RULE_ID finds of a feed, or of a period; the finding does not escalate until then."""
    from minhu import assess

    made = assess.record(settings, "waive", rule_id=rule_id, expires_on=expires_on.date(), **given)
    click.echo(f"waiver {made} holds until {expires_on:%Y-%m-%d}")


@waivers.command("revoke", epilog=example("minhu waivers revoke 3 --reason '问题已扩大'"))
@click.argument("waiver_id", type=int)
@reason_option
@click.pass_obj
def waivers_revoke(settings: Settings, waiver_id: int, reason: str) -> None:
    """Take back a waiver; what it waived counts again at once."""
    from minhu import assess

    assess.record(settings, "revoke_waiver", waiver_id=waiver_id, reason=reason)
    click.echo(f"waiver {waiver_id} is revoked")


@waivers.command("list", epilog=example("minhu waivers list", "minhu waivers list --in-force --json"))
@click.option("--in-force", is_flag=True, help="Only those that hold today.")
@as_json_option
@click.pass_obj
def waivers_list(settings: Settings, in_force: bool, as_json: bool) -> None:
    """List the waivers: in force, expired, or revoked."""
    from minhu import assess

    columns = "waiver_id state rule_id feed_code scheme_id period expires_on reason waived_by waived_at revoked_by"
    show(assess.listing(settings, "waivers", state="in_force" if in_force else None), as_json, columns.split())
