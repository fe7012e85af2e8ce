"""What people decide: appeals, exclusions, manual points, violations, approvals."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from minhu.cli.common import DATE, Commands, as_json_option, example, passphrase, show
from minhu.cli.root import minhu
from minhu.settings import Settings

reason_option = click.option("--reason", required=True, help="Why, in a few words; phone and ID numbers are masked.")
reason_code_option = click.option("--reason-code", required=True, help="Why, as a code: beyond_duty, mis_dispatched, …")
evidence_option = click.option("--evidence", "evidence_ref", help="Where the evidence is kept: a file number, a link.")
assignment_option = click.option("--assignment", "assignment_id", help="Only this assignment of the case.")
indicators_option = click.option(
    "--indicator", "indicator_codes", multiple=True, help="Only for this one, by code or name; may be given again."
)

APPEAL_STATES = ["filed", "overdue", "awaits_confirmation", "granted", "denied", "withdrawn"]
APPEAL_COLUMNS = (
    *("appeal_id", "state", "period", "unit_code", "feed_code", "case_no", "published_rows", "indicator_codes"),
    *("grounds_code", "decide_by", "from_revision", "filed_by", "decided_by"),
)


def _record(settings: Settings, act: str, **given: object) -> int:
    from minhu import assess

    empty_as_none = {name: list(value) or None if isinstance(value, tuple) else value for name, value in given.items()}
    return assess.record(settings, act, **empty_as_none)


def _list_decisions(settings: Settings, what: str, as_json: bool, columns: str, **wanted: str | None) -> None:
    from minhu import assess

    show(assess.listing(settings, what, **wanted), as_json, columns.split())


def _awaits(kind: str, number: int) -> str:
    return f"another login confirms it: minhu approvals add {kind} {number} --reason …"


def _awaits_zh(kind: str, number: int) -> str:
    return f"待另一人复核：minhu approvals add {kind} {number} --reason …"


def _record_file(settings: Settings, act: str, file: Path) -> tuple[int, str]:
    """How many rows of the file were entered, and their numbers."""
    from minhu import assess

    ids = assess.record_file(settings, act, file)
    return len(ids), ", ".join(map(str, ids))


@minhu.group(cls=Commands)
def appeals() -> None:
    """Appeals of units (申诉): filed by one person, decided by another."""


@appeals.command(
    "file",
    epilog=example(
        "minhu appeals file --file appeals.csv",
        "minhu appeals file --row R3-117 --grounds 错派 --statement '职责不属本单位' --evidence 2026-17",
        "minhu appeals file h12345 330100202610010001 --period 2026-10 --dispatched '2026-10-12 09:00' --grounds 错派"
        " --statement '职责不属本单位' --evidence 2026-17",
    ),
)
@click.argument("feed", required=False)
@click.argument("case_no", required=False)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="A CSV with one appeal per row instead.")
@click.option("--row", "published_row", metavar="明细号", help="The row of the published 扣分明细: R3-117.")
@click.option("--period", help="The period of the result appealed against, where no row is named: 2026-10.")
@click.option("--unit", "unit_code", help="Code of the unit; that of your login unless given.")
@click.option("--grounds", "grounds_code", help="Required: what it rests on, as a word or code: 错派, beyond_duty, …")
@click.option("--statement", help="Required: what the unit says; phone and ID numbers are masked.")
@click.option("--evidence", "evidence_ref", help="Required: where the evidence is kept, a file number or a link.")
@click.option(
    "--dispatched",
    "dispatched_at",
    type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]),
    help="When the unit was dispatched, where it was more than once on the case: 2026-10-12 09:00.",
)
@click.option("--whole-case", "is_whole_case", is_flag=True, default=None, help="The case, for every unit on it.")
@indicators_option
@click.option("--scheme", "scheme_id", help="The scheme of the result appealed against.")
@click.option("--decide-by", type=DATE, help="Last day for the decision; the city's term unless given.")
@click.pass_obj
def appeals_file(
    settings: Settings,
    feed: str | None,
    case_no: str | None,
    file: Path | None,
    decide_by: datetime | None,
    **given: Any,
) -> None:
    """File an appeal against a row of the published result, or against a case before the publication.

    The row (明细号) stands in every export of what is published and in `minhu explain --revision`; it says the period,
    the case and the dispatch. A CSV file has all its appeals entered, or none of them when a row is wrong.
    """
    if file:
        if feed or decide_by or any(given.values()):
            raise click.UsageError("a file says everything itself: give --file alone")
        number, ids = _record_file(settings, "file_appeal", file)
        click.echo(f"{file.name}：已提交 {number} 件申诉：{ids}")
        return
    needed = {"--grounds": "grounds_code", "--statement": "statement", "--evidence": "evidence_ref"}
    if not given["published_row"]:
        if not case_no:
            raise click.UsageError("give --row with the number of the published row, or FEED and CASE_NO, or --file")
        needed = {"--period": "period"} | needed
    if missing := [option for option, name in needed.items() if not given[name]]:
        raise click.UsageError(f"an appeal needs {' and '.join(missing)}")
    if decide_by:
        given["decide_by"] = decide_by.replace(tzinfo=settings.zone) + timedelta(days=1)
    filed = _record(settings, "file_appeal", feed_code=feed, case_no=case_no, **given)
    click.echo(f"申诉 {filed} 已提交")


@appeals.command(
    "decide",
    epilog=example(
        "minhu appeals decide 7 granted --reason-code mis_dispatched --reason '核实为错派' --from-revision 2"
    ),
)
@click.argument("appeal_id", type=int)
@click.argument("decision", type=click.Choice(["granted", "denied"]))
@reason_code_option
@reason_option
@click.option(
    "--from-revision", type=click.IntRange(1), help="First revision that leaves the rows out; the next unless given."
)
@click.pass_obj
def appeals_decide(settings: Settings, appeal_id: int, **given: Any) -> None:
    """Grant or deny an appeal that another login filed. A grant awaits a third person's word: `minhu approvals add`.

    What is granted and confirmed leaves the facts with the next build. A denial holds at once.
    """
    _record(settings, "decide_appeal", appeal_id=appeal_id, **given)
    from minhu.glossary.decided import DECISION_STATE

    awaits = f"；{_awaits_zh('appeal', appeal_id)}" if given["decision"] == "granted" else ""
    click.echo(f"申诉 {appeal_id} {DECISION_STATE.zh(given['decision'])}{awaits}")


@appeals.command("withdraw", epilog=example("minhu appeals withdraw 7 --reason '已与热线协商解决'"))
@click.argument("appeal_id", type=int)
@reason_option
@click.pass_obj
def appeals_withdraw(settings: Settings, appeal_id: int, reason: str) -> None:
    """Take back an appeal of your unit that is not decided yet."""
    _record(settings, "withdraw_appeal", appeal_id=appeal_id, reason=reason)
    click.echo(f"申诉 {appeal_id} 已撤回")


@appeals.command("list", epilog=example("minhu appeals list --state overdue", "minhu appeals list --json"))
@click.option("--period")
@click.option("--unit", help="Code of a unit.")
@click.option("--state", type=click.Choice(APPEAL_STATES))
@as_json_option
@click.pass_obj
def appeals_list(settings: Settings, as_json: bool, **wanted: str | None) -> None:
    """List the appeals with their states: all of them, or those of your unit."""
    from minhu import assess

    rows = assess.listing(settings, "appeals", **wanted)
    if as_json:
        show(rows, as_json)
        return
    from minhu.assess.words import in_words

    show([in_words(row, APPEAL_COLUMNS) for row in rows], as_json)


@minhu.group(cls=Commands)
def attachments() -> None:
    """Attachments (附件) of appeals and decisions: PDF, JPG, PNG or OFD."""


subject_argument = click.argument("kind", type=click.Choice(["appeal", "exclusion", "manual_point", "violation"]))


@attachments.command("add", epilog=example("minhu attachments add appeal 7 proof.pdf"))
@subject_argument
@click.argument("number", type=int)
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1, required=True)
@click.pass_obj
def attachments_add(settings: Settings, kind: str, number: int, files: tuple[Path, ...]) -> None:
    """Attach FILES to an appeal of your unit, or to a decision, that still waits; all of them, or none."""
    from minhu import assess
    from minhu.errors import foreign

    read = []
    for file in files:
        with foreign.told("read text", file=file):
            read.append((file.name, file.read_bytes()))
    made = assess.attach(settings, kind, number, read)
    click.echo(f"附件 {'、'.join(map(str, made))} 已附上")


@attachments.command("list", epilog=example("minhu attachments list appeal 7 --json"))
@subject_argument
@click.argument("number", type=int)
@as_json_option
@click.pass_obj
def attachments_list(settings: Settings, kind: str, number: int, as_json: bool) -> None:
    """List what is attached to an appeal or a decision."""
    from minhu import assess

    found = [one.summary() for one in assess.attachments(settings, [(kind, number)])]
    show(found, as_json, "attachment_id name media_type bytes added_by added_at removed_at".split())


@attachments.command("take", epilog=example("minhu attachments take 3 --out proof.pdf"))
@click.argument("attachment_id", type=int)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to; its own name unless given.")
@click.pass_obj
def attachments_take(settings: Settings, attachment_id: int, out: Path | None) -> None:
    """Save an attachment as a file, readable by you alone. That you took it stands in the access log first."""
    from minhu import assess
    from minhu.errors import foreign

    name, content = assess.take(settings, attachment_id)
    path = out or Path(name)
    with foreign.told("write file", file=path):
        path.touch(mode=0o600, exist_ok=out is not None)
        path.write_bytes(content)
    click.echo(f"{path}: {len(content):,} bytes")


@attachments.command("remove", epilog=example("minhu attachments remove 3 --reason '误附他人材料'"))
@click.argument("attachment_id", type=int)
@reason_option
@click.pass_obj
def attachments_remove(settings: Settings, attachment_id: int, reason: str) -> None:
    """Delete the content of an attachment that should not be there; that it was there stays."""
    from minhu import assess

    assess.detach(settings, attachment_id, reason)
    click.echo(f"附件 {attachment_id} 的内容已删去")


@minhu.group(cls=Commands)
def exclusions() -> None:
    """Exclusions (剔除): what counts for nobody, and why."""


@exclusions.command(
    "add",
    epilog=example(
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
def exclusions_add(settings: Settings, feed: str, case_no: str, **given: Any) -> None:
    """Exclude a case, or one assignment of it, for every indicator or for some, once another login confirms."""
    made = _record(settings, "exclude", feed_code=feed, case_no=case_no, **given)
    click.echo(f"decision:{made} excludes it; {_awaits('exclusion', made)}")


@exclusions.command("revoke", epilog=example("minhu exclusions revoke decision:12 --reason '复核后恢复计入'"))
@click.argument("exclusion_id")
@reason_option
@evidence_option
@click.pass_obj
def exclusions_revoke(settings: Settings, exclusion_id: str, **given: Any) -> None:
    """End an exclusion that was decided here: decision:12, or appeal:7 for a granted appeal.

    That counts, too, once another login confirms it.
    """
    made = _record(settings, "revoke_exclusion", exclusion_id=exclusion_id, **given)
    click.echo(f"decision:{made} revokes {exclusion_id}; {_awaits('exclusion', made)}")


@exclusions.command("list", epilog=example("minhu exclusions list --json"))
@as_json_option
@click.pass_obj
def exclusions_list(settings: Settings, as_json: bool) -> None:
    """List what is excluded: in force, confirmed since the last build, not confirmed yet, rejected or revoked."""
    columns = (
        "exclusion_id state feed_code case_no assignment_id indicator_codes reason_code reason decided_by decided_at"
    )
    _list_decisions(settings, "exclusions", as_json, columns)


@minhu.group("manual-points", cls=Commands)
def manual_points() -> None:
    """Points that people give or take (人工计分): entered from a file, counted once another login approves."""


@manual_points.command("load", epilog=example("minhu manual-points load points.csv"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def manual_points_load(settings: Settings, file: Path) -> None:
    """Enter all manual points of a CSV file, or none of them when a row is wrong."""
    number, ids = _record_file(settings, "enter_manual_point", file)
    click.echo(f"{file.name}: {number} manual points await approval: {ids}")


@manual_points.command("revoke", epilog=example("minhu manual-points revoke 3 --reason '重复计分' --evidence 2026-18"))
@click.argument("manual_point_id", type=int)
@reason_option
@evidence_option
@click.pass_obj
def manual_points_revoke(settings: Settings, manual_point_id: int, **given: Any) -> None:
    """Take back a manual point; that counts, too, once another login approves."""
    made = _record(settings, "revoke_manual_point", manual_point_id=manual_point_id, **{"evidence_ref": "", **given})
    click.echo(f"manual point {made}, which revokes {manual_point_id}, awaits approval")


@manual_points.command("list", epilog=example("minhu manual-points list --json"))
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
    epilog=example(
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
    settings: Settings, unit_code: str, found_at: datetime, case: tuple[str, str] | None, **given: Any
) -> None:
    """Enter a violation of a unit; it is a fact from the next build on, once another login confirms it."""
    if case:
        given |= {"feed_code": case[0], "case_no": case[1]}
    found_at = found_at.replace(tzinfo=settings.zone)
    made = _record(settings, "enter_violation", unit_code=unit_code, found_at=found_at, **given)
    click.echo(f"violation {made} is entered; {_awaits('violation', made)}")


@violations.command("revoke", epilog=example("minhu violations revoke 4 --reason '复核不成立'"))
@click.argument("violation_id", type=int)
@reason_option
@evidence_option
@click.pass_obj
def violations_revoke(settings: Settings, violation_id: int, **given: Any) -> None:
    """Take back a violation that was entered here; that counts, too, once another login confirms it."""
    made = _record(settings, "revoke_violation", violation_id=violation_id, **given)
    click.echo(f"violation {made} revokes {violation_id}; {_awaits('violation', made)}")


@violations.command("list", epilog=example("minhu violations list --json"))
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
    epilog=example(
        "minhu approvals add manual_point 3 --reason '与通报一致'",
        "minhu approvals add manual_point 4 --reject --reason '缺少依据'",
        "minhu approvals add exclusion 12 --reason '判决书已核对'",
        "minhu approvals add appeal 7 --reason '已复核'",
        "minhu approvals add closing 1 --hash 5f1c0e77a9b2 --reason '数据与口径已核对'",
        "minhu approvals add closing 1 --hash 5f1c0e77a9b2 --key ping.pem --reason '数据与口径已核对'",
    ),
)
@click.argument("subject_kind")
@click.argument("subject_id")
@click.option("--reject", is_flag=True, help="Reject it instead.")
@click.option("--hash", "content_hash", help="Of a closing: which content, as it was shown; 12 digits or more.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="Of a closing: sign with this key.")
@reason_option
@click.pass_obj
def approvals_add(
    settings: Settings,
    subject_kind: str,
    subject_id: str,
    reject: bool,
    content_hash: str | None,
    key: Path | None,
    reason: str,
) -> None:
    """Approve or reject what another login decided or closed.

    SUBJECT_KIND is manual_point, exclusion, violation, appeal (its grant) or closing. What a closing holds, its hash
    and what moved since the last revision is shown by `minhu closings show`.
    """
    verdict, signature = "rejected" if reject else "approved", None
    if key and subject_kind == "closing" and subject_id.isdigit() and not reject:
        from minhu.publish import sign_closing

        signature = sign_closing(settings, int(subject_id), key, passphrase(key))
    given = {"subject_kind": subject_kind, "subject_id": subject_id, "verdict": verdict, "reason": reason}
    _record(settings, "approve", **given, content_hash=content_hash, signature=signature)
    click.echo(f"{subject_kind} {subject_id} is {verdict}{' and signed' if signature else ''}")


@approvals.command("waiting", epilog=example("minhu approvals waiting --json"))
@as_json_option
@click.pass_obj
def approvals_waiting(settings: Settings, as_json: bool) -> None:
    """List what one person decided and another has yet to confirm."""
    columns = "subject_kind subject_id what unit_code feed_code case_no reason made_by made_at"
    _list_decisions(settings, "unconfirmed", as_json, columns)


@approvals.command("list", epilog=example("minhu approvals list --json"))
@as_json_option
@click.pass_obj
def approvals_list(settings: Settings, as_json: bool) -> None:
    """List the approvals."""
    _list_decisions(
        settings, "approvals", as_json, "approval_id subject_kind subject_id verdict reason approved_by approved_at"
    )
