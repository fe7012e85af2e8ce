"""What auditors ask."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minhu.cli.common import Commands, as_json_option, example, show, tell
from minhu.cli.root import minhu
from minhu.settings import Settings

if TYPE_CHECKING:
    from minhu.audit.sample import Comparison


@minhu.group(cls=Commands)
def audit() -> None:
    """What auditors look at."""


@audit.command(
    "report",
    epilog=example("minhu audit report 2026-10", "minhu audit report 2026-10 --out /tmp --seed 审计1012 --n 30"),
)
@click.argument("month")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="A folder; here unless given.")
@click.option("--seed", help="Draws the sample of cases; the month unless given.")
@click.option("--n", type=click.IntRange(1, 200), default=10, show_default=True, help="So many cases.")
@as_json_option
@click.pass_obj
def audit_report(settings: Settings, month: str, out: Path, seed: str | None, n: int, as_json: bool) -> None:
    """Write the audit report of MONTH (审计月报) as HTML and PDF. The same data give the same bytes."""
    from minhu.audit.report import write_report

    written = write_report(settings, month, out, seed=seed, n=n)
    if as_json:
        told = {"files": [str(path) for path in written.files], "inputs": written.report.inputs}
        click.echo(json.dumps(told | {"fingerprint": written.report.fingerprint}, ensure_ascii=False, indent=2))
        return
    for path in written.files:
        click.echo(path)
    click.echo(f"输入指纹 {written.report.fingerprint}")


@audit.command(
    "trace",
    epilog=example("minhu audit trace h12345 330100202610010001", "minhu audit trace h12345 330100202610010001 --json"),
)
@click.argument("feed")
@click.argument("case_no")
@as_json_option
@click.pass_obj
def audit_trace(settings: Settings, feed: str, case_no: str, as_json: bool) -> None:
    """Walk a case from the lines of landed files to every score and publication it touched."""
    from minhu.audit.trace import trace
    from minhu.audit.trace_text import render_trace

    found = trace(settings, feed, case_no)
    click.echo(
        json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else render_trace(found), nl=as_json
    )


@audit.command(
    "sample",
    epilog=example(
        "minhu audit sample 2026-10 --n 30 --seed 审计1012",
        "minhu audit sample 2026-10 --n 30 --seed 审计1012 --by-feed --out sample.json",
        "minhu audit sample --from sample.json",
    ),
)
@click.argument("period", required=False)
@click.option("--n", type=click.IntRange(1, 100_000), default=30, show_default=True, help="So many cases.")
@click.option("--seed", help="Any text; whoever knows it draws the same cases.")
@click.option("--feed", "feeds", multiple=True, help="Only cases of this feed. May be repeated.")
@click.option("--by-feed", "by_feed", is_flag=True, help="Stratified: each feed gives its share.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the sample in this file (JSON).")
@click.option("--from", "file", type=click.Path(path_type=Path), help="Draw a kept sample again and compare.")
@as_json_option
@click.pass_obj
def audit_sample(
    settings: Settings,
    period: str | None,
    n: int,
    seed: str | None,
    feeds: tuple[str, ...],
    by_feed: bool,
    out: Path | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Draw cases received in PERIOD at random; the same seed draws the same. --from exits 1 where they differ."""
    from minhu.audit.sample import FRAME_ZH, as_file, draw, redraw
    from minhu.export import put

    if file:
        if period or seed or feeds or by_feed or out:
            raise click.UsageError("--from reads period, seed and the rest from the file")
        _show_comparison(redraw(settings, file), as_json)
        return
    if not period or not seed:
        raise click.UsageError("name the period and a --seed, or a kept sample with --from")
    sample = draw(settings, period, n, seed, feeds, by_feed=by_feed)
    if out:
        put(out, as_file(sample).encode())
    if as_json:
        click.echo(as_file(sample), nl=False)
        return
    only = f"，仅 {'、'.join(sample.frame.feeds)}" if sample.frame.feeds else ""
    click.echo(
        f"抽样框：{FRAME_ZH}{only}，共 {sample.frame.cases} 件，构建 {sample.frame.build_id}\n"
        f"框 sha256 {sample.frame.sha256}\n"
        f"种子 {sample.seed}，{'按来源分层，' if by_feed else ''}抽取 {len(sample.cases)} 件"
    )
    show([case.model_dump() for case in sample.cases], as_json=False)


def _show_comparison(found: "Comparison", as_json: bool) -> None:
    if as_json:
        told = {
            "is_same": found.is_same,
            "is_same_frame": found.is_same_frame,
            "missing": [case.model_dump() for case in found.missing],
            "added": [case.model_dump() for case in found.added],
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        frame = "抽样框未变" if found.is_same_frame else "抽样框已变（其后有构建）"
        click.echo(f"{frame}：{'抽得同样的' if found.is_same else '抽得不同，现抽'} {len(found.sample.cases)} 件")
        for what, cases in (("不再抽中", found.missing), ("新抽中", found.added)):
            for case in cases:
                click.echo(f"  {what} {case.feed_code} {case.case_no}")
    if not found.is_same:
        raise click.exceptions.Exit(1)


@audit.command(
    "bundle",
    epilog=example(
        "minhu audit bundle 2026-10 --why '市审计局抽查 2026-31 号'",
        "minhu audit bundle --allow 17 --why '抽查方案已批准'",
        "minhu audit bundle --take 17 --out bundle-2026-10.zip --to age1…",
        "minhu verify --bundle bundle-2026-10.zip --key my-age-key",
    ),
)
@click.argument("period", required=False)
@click.option("--revision", type=click.IntRange(1), help="The newest unless given.")
@click.option("--scheme", "scheme_id", help="The only one unless given.")
@click.option("--why", help="Why it is asked for, or allowed; it stands in the access log.")
@click.option("--allow", "allowed", type=int, metavar="REQUEST", help="Allow what another auditor asked for.")
@click.option("--take", "taken", type=int, metavar="REQUEST", help="Write what you asked for and another allowed.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="With --take: the file.")
@click.option("--to", "recipient", metavar="AGE_KEY", help="With --take: encrypt it to this age public key (age1…).")
@as_json_option
@click.pass_obj
def audit_bundle(
    settings: Settings,
    period: str | None,
    revision: int | None,
    scheme_id: str | None,
    why: str | None,
    allowed: int | None,
    taken: int | None,
    out: Path | None,
    recipient: str | None,
    as_json: bool,
) -> None:
    """Take home what the scores of PERIOD rest on (审计包), to compute them anew elsewhere.

    One auditor asks (PERIOD --why), another allows (--allow), who asked takes it (--take --out). Without any of these:
    the requests. The bundle holds no texts, addresses, phones or callers.
    """
    from minhu.audit import bundle

    if (taken is None) != (out is None) or (recipient and taken is None):
        raise click.UsageError("--take and --out go together; --to goes with them")
    if taken is not None and out is not None:
        if period or why or allowed is not None:
            raise click.UsageError("--take stands with --out and --to alone")
        done = bundle.take(settings, taken, out, recipient=recipient, tell=tell)
        click.echo(
            json.dumps(done.as_json(), ensure_ascii=False, indent=2)
            if as_json
            else f"{done.file}：{done.cases} 件工单，{done.bytes} 字节{'，已加密' if done.is_encrypted else ''}\n"
            f"文件哈希 {done.sha256}"
        )
        return
    if allowed is not None:
        if period or not why:
            raise click.UsageError("--allow takes the number of a request and --why, no PERIOD")
        found = [bundle.allow(settings, allowed, why=why)]
    elif why:
        if not period:
            raise click.UsageError("name the PERIOD")
        found = [bundle.ask(settings, period, revision, scheme_id, why=why)]
    else:
        found = bundle.list_requests(settings, period)
    columns = "request_id scheme_id period revision state asked_by asked_at allowed_by allowed_at taken why"
    show([request.as_json() for request in found], as_json, columns.split(), "bundles")


@audit.command("feeds", epilog=example("minhu audit feeds 2026-10", "minhu audit feeds 2026-10 --feed h12345 --json"))
@click.argument("month")
@click.option("--feed", help="Only this feed, with everything that cost it points.")
@as_json_option
@click.pass_obj
def audit_feeds(settings: Settings, month: str, feed: str | None, as_json: bool) -> None:
    """Show the data-quality score of feeds in MONTH (数据质量分), the lowest first, and what cost points."""
    from minhu.audit.feeds import feed_scores, render_feeds

    scores = feed_scores(settings, month, feed)
    if as_json:
        click.echo(json.dumps([score.as_json() for score in scores], ensure_ascii=False, indent=2))
        return
    click.echo(render_feeds(scores), nl=False)


@audit.command("gaming", epilog=example("minhu audit gaming 2026-10", "minhu audit gaming 2026 --json"))
@click.argument("period")
@as_json_option
@click.pass_obj
def audit_gaming(settings: Settings, period: str, as_json: bool) -> None:
    """List patterns of PERIOD that are worth a look: information, never a deduction."""
    from minhu.watch.gaming import gaming

    rows = [signal.as_json() | {"example": signal.example_ids[0]} for signal in gaming(settings, period)]
    columns = ("month_on", "unit_name", "signal_zh", "found", "of_total", "found_pct", "usual_pct", "example")
    show(rows, as_json, columns, f"patterns of {period}")
