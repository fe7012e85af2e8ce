"""The access log."""

from datetime import datetime

import click

from minhu.cli.common import DATE, Commands, as_day, as_json_option, example, show
from minhu.cli.root import minhu
from minhu.glossary.decided import ACCESS
from minhu.settings import Settings


@minhu.command(epilog=example("minhu case h12345 330100202610010001 --why '复核申诉 7'"))
@click.argument("feed")
@click.argument("case_no")
@click.option("--why", required=True, help="Why it is read; it stands in the access log.")
@as_json_option
@click.pass_obj
def case(settings: Settings, feed: str, case_no: str, why: str, as_json: bool) -> None:
    """Read the masked text of a case: what was asked, answered, said. Evaluators and auditors; the log has it first."""
    from minhu.privacy.case_text import read_case

    show(read_case(settings, feed, case_no, why), as_json, ["told", "at", "unit_name", "text"])


@minhu.group(cls=Commands)
def access() -> None:
    """The access log (访问日志): who read citizens' data, took results away, or let them out."""


@access.command(
    "list",
    epilog=example(
        "minhu access list --since 2026-10-01 --until 2026-10-31", "minhu access list --subject rejected_rows --json"
    ),
)
@click.option("--since", type=DATE, help="First day; from the beginning unless given.")
@click.option("--until", type=DATE, help="Last day; to the end unless given.")
@click.option("--subject", type=click.Choice(list(ACCESS)), help="Only this kind.")
@click.option("--by", help="Only what this database login did.")
@click.option("--batch", "batch_id", type=int, help="Only what was done to this batch.")
@as_json_option
@click.pass_obj
def access_list(
    settings: Settings,
    since: datetime | None,
    until: datetime | None,
    subject: str | None,
    by: str | None,
    batch_id: int | None,
    as_json: bool,
) -> None:
    """List who did what, when and why, in the order of the log."""
    from minhu.privacy.access_log import entries

    found = entries(settings, since=as_day(since), until=as_day(until), subject=subject, by=by, batch_id=batch_id)
    rows = [one | {"subject_zh": ACCESS.zh(one["subject"])} for one in found]
    show(rows, as_json, "access_id accessed_at accessed_by subject_zh batch_id about why".split())
