"""What auditors ask."""

import click

from minhu.cli.common import Commands, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.settings import Settings


@minhu.group(cls=Commands)
def audit() -> None:
    """What auditors look at."""


@audit.command("gaming", epilog=example("minhu audit gaming 2026-10", "minhu audit gaming 2026 --json"))
@click.argument("period")
@as_json_option
@click.pass_obj
def audit_gaming(settings: Settings, period: str, as_json: bool) -> None:
    """List patterns of PERIOD that are worth a look: information, never a deduction."""
    from minhu.scoring.gaming import gaming

    rows = [signal.as_json() | {"example": signal.example_ids[0]} for signal in gaming(settings, period)]
    columns = ("month_on", "unit_name", "signal_zh", "found", "of_total", "found_pct", "usual_pct", "example")
    show(rows, as_json, columns, f"patterns of {period}")
