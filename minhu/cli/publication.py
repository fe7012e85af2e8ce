"""Closing, approval, publication, revision, proof."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from minhu.cli.common import Commands, as_json_option, example, show, tell
from minhu.cli.root import minhu
from minhu.settings import Settings

if TYPE_CHECKING:
    from minhu.publish import Closing

scheme_option = click.option("--scheme", "scheme_id", help="The only one unless given.")
why_option = click.option("--why", required=True, help="The reason; it is published with your database login.")


@minhu.command(epilog=example("minhu close 2026-10", "minhu close 2026-11 --early"))
@click.argument("period")
@scheme_option
@click.option("--early", "is_early", is_flag=True, help="Freeze a period that is not over; the result is indicative.")
@as_json_option
@click.pass_obj
def close(settings: Settings, period: str, scheme_id: str | None, is_early: bool, as_json: bool) -> None:
    """Close PERIOD (关账): score it, ask the release gate, freeze the numbers and what they rest on."""
    from minhu.publish import close as run

    _show_closing(run(settings, period, scheme_id, is_early=is_early, tell=tell), as_json)


@minhu.command(epilog=example("minhu revise 2026-10 --why '申诉 7 获准，补报两个批次'"))
@click.argument("period")
@why_option
@click.option(
    "--readings",
    type=click.Choice(["published", "new"]),
    default="published",
    show_default=True,
    help="by which readings (读法): those the period was published by, or today's",
)
@scheme_option
@as_json_option
@click.pass_obj
def revise(
    settings: Settings,
    period: str,
    why: str,
    readings: Literal["published", "new"],
    scheme_id: str | None,
    as_json: bool,
) -> None:
    """Close a published PERIOD anew as its next revision, and tell what moved and why."""
    from minhu.publish import diff, render_diff
    from minhu.publish import revise as run

    closing = run(settings, period, scheme_id, why=why, readings=readings, tell=tell)
    moved = diff(settings, closing.period, closing.revision, closing.scheme_id)
    if as_json:
        _show_json(closing.as_json() | {"state": closing.state, "diff": moved.as_json()})
        return
    _show_closing(closing, as_json)
    click.echo(render_diff(moved))


@minhu.command(epilog=example("minhu publish 2026-10", "minhu publish 2026-10 --why '邮件服务器停机，已定于今晚恢复'"))
@click.argument("period")
@scheme_option
@click.option("--why", help="Why it is published though no witness outside can be reached; every reader is told.")
@as_json_option
@click.pass_obj
def publish(settings: Settings, period: str, scheme_id: str | None, why: str | None, as_json: bool) -> None:
    """Publish what was closed of PERIOD last, approved by another login, and send its hash to the witnesses outside."""
    from minhu.publish import publish as run

    release = run(settings, period, scheme_id, why=why, tell=tell)
    if as_json:
        _show_json(release.as_json())
        return
    click.echo(
        f"{release.period} 第 {release.revision} 次发布（release {release.release_id}）：{release.row_count} 行，"
        f"{release.closed_by} 关账，{release.approved_by} 审批（{release.approval_zh}）\n哈希 {release.hash}"
    )


def _hash(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not re.fullmatch("[0-9a-fA-F]{12,64}", given):
        raise click.BadParameter("give 12 to 64 hexadecimal digits")
    return given


@minhu.command(
    epilog=example(
        "minhu verify 2026-10",
        "minhu verify 2026-10 --revision 1 --expect 5f1c0e77a9b2 --chain-only",
        "minhu verify 2026-10 --anchor 锚点.eml --strict",
        "minhu verify 2026-10 --cases 2000",
        "minhu verify --access",
        "minhu verify --bundle bundle-2026-10.zip",
    )
)
@click.argument("period", required=False)
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@scheme_option
@click.option("--chain-only", is_flag=True, help="Check hashes only; compute nothing anew.")
@click.option(
    "--expect", "expected", metavar="HASH", callback=_hash, help="The hash that you noted, 12 digits or more."
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="FILE|HASH",
    help="What a witness holds: a mail as saved, a webhook's body, the text of a bulletin's QR, a hash. Several may be"
    " given.",
)
@click.option("--strict", "is_strict", is_flag=True, help="Exit 1 also where no witness outside proves it.")
@click.option(
    "--files", type=click.IntRange(0), help="So many landed files are read again and compared with staging; 20."
)
@click.option("--all", "is_all", is_flag=True, help="Read all landed files again.")
@click.option(
    "--cases",
    type=click.IntRange(1),
    help="Compute so many cases anew, drawn at random, instead of everything: minutes become seconds.",
)
@click.option(
    "--every-case", is_flag=True, help="Compute all cases that were ever told of, not only those that can count."
)
@click.option("--seed", help="Draws the landed files and the cases; a fresh one unless given, and told.")
@click.option("--access", "is_access", is_flag=True, help="Check the access log alone, without a PERIOD.")
@click.option("--head", help="With --access: the end of the log that an earlier check told, to be found again.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compute anew from what `minhu audit bundle` wrote, without the warehouse.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --bundle: the file with the age secret key that it was encrypted to.",
)
@as_json_option
@click.pass_obj
def verify(
    settings: Settings,
    period: str | None,
    revision: int | None,
    scheme_id: str | None,
    chain_only: bool,
    expected: str | None,
    anchors: tuple[str, ...],
    is_strict: bool,
    files: int | None,
    is_all: bool,
    cases: int | None,
    every_case: bool,
    seed: str | None,
    is_access: bool,
    head: str | None,
    bundle: Path | None,
    key: Path | None,
    as_json: bool,
) -> None:
    """Prove what was published: all hashes, what witnesses outside hold, PERIOD computed anew. Exits 1 on a finding."""
    if bundle:
        others = (
            period,
            revision,
            scheme_id,
            chain_only,
            is_access,
            head,
            anchors,
            is_strict,
            is_all,
            files,
            cases,
            every_case,
            seed,
        )
        if any(others):
            raise click.UsageError("--bundle says itself what it holds; --key and --expect alone go with it")
        _verify_bundle(settings, bundle, key, expected, as_json)
        return
    if key:
        raise click.UsageError("--key goes with --bundle")
    if every_case and (cases or is_access or chain_only):
        raise click.UsageError("--every-case computes a PERIOD anew: not with --cases, --access or --chain-only")
    if cases and (is_access or chain_only):
        raise click.UsageError(
            "--cases computes drawn cases of a PERIOD anew: neither --access nor --chain-only computes any"
        )
    if (
        is_access == bool(period)
        or (head and not is_access)
        or (is_access and (anchors or is_strict))
        or (is_all and files)
    ):
        raise click.UsageError("name a PERIOD, or give --access alone (with --head, if there is one)")
    if not period:
        _verify_access(settings, head, as_json)
        return
    from minhu.publish import FILES, render_verification
    from minhu.publish import verify as run

    found = run(
        settings,
        period,
        revision,
        scheme_id,
        chain_only=chain_only,
        expected=expected,
        anchors=anchors,
        files=None if is_all else FILES if files is None else files,
        cases=cases,
        every_case=every_case,
        seed=seed,
        tell=tell,
    )
    _show_json(found.as_json()) if as_json else click.echo(render_verification(found))
    if not found.is_ok or (is_strict and not found.is_proven):
        raise click.exceptions.Exit(1)


def _verify_bundle(settings: Settings, file: Path, key: Path | None, expected: str | None, as_json: bool) -> None:
    from minhu.audit.bundle import render_bundle_verification, verify_bundle

    found = verify_bundle(settings, file, key=key, expected=expected, tell=tell)
    _show_json(found.as_json()) if as_json else click.echo(render_bundle_verification(found))
    if not found.is_ok:
        raise click.exceptions.Exit(1)


def _verify_access(settings: Settings, head: str | None, as_json: bool) -> None:
    from minhu.errors import Refused
    from minhu.publish import access_log_chain, render_access
    from minhu.schemes.plain import plain

    found = access_log_chain.check(settings, head)
    if found is None:
        raise Refused("this login does not read the access log; an auditor's does")
    _show_json(plain(found) | {"is_ok": found.is_ok}) if as_json else click.echo("\n".join(render_access(found)))
    if not found.is_ok:
        raise click.exceptions.Exit(1)


@minhu.group(cls=Commands)
def closings() -> None:
    """What was closed, published or not."""


@closings.command("show", epilog=example("minhu closings show 1"))
@click.argument("closing_id", type=int)
@as_json_option
@click.pass_obj
def closings_show(settings: Settings, closing_id: int, as_json: bool) -> None:
    """Show what is to be approved: what was closed, its hash, and what moved since the revision before."""
    from minhu.publish import render_diff, show_closing

    closing, moved = show_closing(settings, closing_id)
    if as_json:
        _show_json(closing.as_json() | {"state": closing.state, "diff": moved and moved.as_json()})
        return
    _show_closing(closing, as_json)
    if moved:
        click.echo(render_diff(moved))


@closings.command("list", epilog=example("minhu closings list", "minhu closings list --period 2026-10 --json"))
@click.option("--period")
@as_json_option
@click.pass_obj
def closings_list(settings: Settings, period: str | None, as_json: bool) -> None:
    """List the closings with their states and who closed, approved or rejected them."""
    from minhu.publish import list_closings

    columns = "closing_id scheme_id period revision state closed_by closed_at approved_by rejected_by content_hash why"
    rows = [closing.as_json() | {"state": closing.state} for closing in list_closings(settings, period)]
    show(rows, as_json, columns.split())


@minhu.group(cls=Commands)
def feedback() -> None:
    """What units look at before a period is published for the first time (核对), and what they say of it."""


@feedback.command("list", epilog=example("minhu feedback list --json"))
@as_json_option
@click.pass_obj
def feedback_list(settings: Settings, as_json: bool) -> None:
    """List the closings that were opened to units: until when, how many remarks, how many unanswered."""
    from minhu.publish.feedback import feedback as looks

    columns = "closing_id scheme_id period opened_by opened_at ends_at is_published remarks unanswered"
    show([one.summary() for one in looks(settings)], as_json, columns.split())


@feedback.command("open", epilog=example("minhu feedback open 12"))
@click.argument("closing_id", type=int)
@click.pass_obj
def feedback_open(settings: Settings, closing_id: int) -> None:
    """Open a closing to units, each its own numbers, for the working days that city.yml says.

    It is not published before they are over. Only what was never published is opened; a revision tells what it moves.
    """
    from minhu import assess

    assess.record(settings, "open_feedback", closing_id=closing_id)
    click.echo(f"关账 {closing_id} 已开放给各单位核对")


@feedback.command("remarks", epilog=example("minhu feedback remarks --period 2026-10 --state unanswered"))
@click.option("--period")
@click.option("--unit", help="Code of a unit.")
@click.option("--state", type=click.Choice(["unanswered", "accepted_remark", "stays_as_it_is"]))
@as_json_option
@click.pass_obj
def feedback_remarks(settings: Settings, as_json: bool, **wanted: str | None) -> None:
    """List the remarks: all of them, or those of your unit."""
    from minhu import assess

    columns = "remark_id state closing_id unit_code indicator_code feed_code case_no statement reason"
    show(assess.listing(settings, "remarks", **wanted), as_json, columns.split())


@feedback.command(
    "remark", epilog=example("minhu feedback remark 12 --statement '第 3 行应为协办' --indicator close_on_time")
)
@click.argument("closing_id", type=int)
@click.option("--statement", required=True, help="What is wrong; phone and ID numbers are masked.")
@click.option("--unit", "unit_code", help="Code of the unit; that of your login unless given.")
@click.option("--indicator", "indicator_code", help="Which indicator, by its code.")
@click.option("--case", "case", nargs=2, metavar="FEED CASE_NO", help="Which case.")
@click.pass_obj
def feedback_remark(settings: Settings, closing_id: int, case: tuple[str, str] | None, **given: str | None) -> None:
    """Say what your unit finds wrong with its own numbers. It moves no score by itself."""
    from minhu import assess

    of_case = {"feed_code": case[0], "case_no": case[1]} if case else {}
    made = assess.record(settings, "remark", closing_id=closing_id, **given, **of_case)
    click.echo(f"核对意见 {made} 已提出")


@feedback.command("answer", epilog=example("minhu feedback answer 3 stays_as_it_is --reason '该件在时限内未办结'"))
@click.argument("remark_id", type=int)
@click.argument("outcome", type=click.Choice(["accepted_remark", "stays_as_it_is"]))
@click.option("--reason", required=True, help="What will be done, or why it stays.")
@click.pass_obj
def feedback_answer(settings: Settings, remark_id: int, outcome: str, reason: str) -> None:
    """Answer a remark. What is right about it is mended by an act of its own; then the period is closed again."""
    from minhu import assess

    assess.record(settings, "answer_remark", remark_id=remark_id, outcome=outcome, reason=reason)
    click.echo(f"核对意见 {remark_id} 已答复")


@minhu.group(cls=Commands)
def releases() -> None:
    """What was published: every period, every revision."""


@releases.command("list", epilog=example("minhu releases list --json"))
@as_json_option
@click.pass_obj
def releases_list(settings: Settings, as_json: bool) -> None:
    """List the releases in the order of their publication."""
    from minhu.publish import list_releases

    columns = "release_id scheme_id period revision published_at closed_by approved_by published_by row_count hash why"
    show([release.as_json() for release in list_releases(settings)], as_json, columns.split())


@releases.command("show", epilog=example("minhu releases show 2026-10", "minhu releases show 2026-10 --revision 1"))
@click.argument("period")
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@scheme_option
@as_json_option
@click.pass_obj
def releases_show(settings: Settings, period: str, revision: int | None, scheme_id: str | None, as_json: bool) -> None:
    """Show a published result: who stands for it, and the score of every unit."""
    from minhu.publish import show_release
    from minhu.publish.feedback import looked
    from minhu.schemes.plain import plain

    release, scores = show_release(settings, period, revision, scheme_id)
    told = looked(settings, release.release_id)
    if as_json:
        _show_json(release.as_json() | {"feedback": plain(told) if told else None, "units": scores})
        return
    columns = "peer_group unit_code unit_name raw_points score_100 assessed_points band rank_in_group not_ranked_reason"
    click.echo(
        f"{release.period} 第 {release.revision} 次发布，{release.published_at:%Y-%m-%d %H:%M}，"
        f"{release.closed_by} 关账，{release.approved_by} 审批（{release.approval_zh}）"
        f"{f'，{release.why}' if release.why else ''}\n"
        f"哈希 {release.hash}"
    )
    if told:
        click.echo(f"发布前交各单位核对，提出意见 {told.remarks} 条，发布时未答复 {told.unanswered} 条")
    show(scores, as_json=False, columns=[name for name in columns.split() if scores and name in scores[0]])


@releases.command("diff", epilog=example("minhu releases diff 2026-10", "minhu releases diff 2026-10 --revision 2"))
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


def _show_json(value: dict) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _show_closing(closing: "Closing", as_json: bool) -> None:
    if as_json:
        _show_json(closing.as_json() | {"state": closing.state})
        return
    from minhu.publish import render_closing

    click.echo(render_closing(closing))
