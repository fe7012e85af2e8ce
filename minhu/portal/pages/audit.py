"""审计: reconciliation, a case traced to its files, a sample, the month's report, proof of a release, who read what."""

from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.responses import Response

from minhu.audit.sample import draw
from minhu.audit.trace import trace as walk
from minhu.audit.trace_text import sections
from minhu.errors import Refused
from minhu.portal.asking import Ask, day_of
from minhu.portal.pages.home import newest
from minhu.portal.pages.units import case_path
from minhu.portal.shown import XLSX, saved_as
from minhu.privacy import access_log
from minhu.publish import verify
from minhu.warehouse.reconcile import as_xlsx, reconcile

MOST_DRAWN = 500
MOST_ENTRIES = 500


def audit(ask: Ask) -> Response:
    return ask.page("audit.html", today=_today(ask), yesterday=_today(ask) - timedelta(days=1), releases=newest(ask))


def reconciled(ask: Ask) -> Response:
    on = _day(ask, "date", _today(ask) - timedelta(days=1))
    statement = reconcile(ask.reads, on)
    if ask.wanted("format") == "xlsx":
        access_log.record_export(ask.acts, f"reconciliation {on}")
        headers = {"Content-Disposition": saved_as(f"reconcile-{on}.xlsx")}
        return Response(as_xlsx(statement), media_type=XLSX, headers=headers)
    return ask.page("reconcile.html", statement=statement, on=on, before=on - timedelta(days=1))


def trace(ask: Ask) -> Response:
    feed, case_no = ask.wanted("feed"), ask.wanted("case")
    if not feed or not case_no:
        raise Refused("name a hotline and the number of a case")
    found = walk(ask.reads, feed, case_no)
    return ask.page("trace.html", found=found, sections=sections(found))


def sample(ask: Ask) -> Response:
    period, seed = ask.wanted("period"), ask.wanted("seed")
    n = ask.number("n") or 30
    if n > MOST_DRAWN:
        raise Refused(f"at most {MOST_DRAWN} cases are drawn on a page; minhu audit sample draws more")
    drawn = draw(ask.reads, period, n, seed, by_feed=ask.wanted("by_feed") is not None) if period and seed else None
    return ask.page("sample.html", sample=drawn, period=period, seed=seed, n=n, case_path=case_path)


def report(ask: Ask) -> Response:
    """The audit report of a month as a file; it stands in the access log."""
    from minhu.audit.report import write_report  # here: typesetting weighs as much as all other pages

    month, form = ask.wanted("month") or "", ask.wanted("format") or "html"
    if form not in ("html", "pdf"):
        raise Refused("the report is html or pdf")
    with TemporaryDirectory(prefix="minhu-report-") as folder:
        written = write_report(ask.acts, month, Path(folder))
        file = next(one for one in written.files if one.suffix == f".{form}")
        content = file.read_bytes()
    kind = "application/pdf" if form == "pdf" else "text/html; charset=utf-8"
    return Response(content, media_type=kind, headers={"Content-Disposition": saved_as(file.name)})


def proof(ask: Ask) -> Response:
    """The chain of hashes up to a release, and what witnesses outside say; nothing is computed anew here."""
    found = verify(
        ask.reads,
        ask.place("period"),
        ask.number("revision"),
        ask.place("scheme"),
        chain_only=True,
        expected=ask.wanted("expect"),
    )
    return ask.page("proof.html", found=found, release=found.release, expected=ask.wanted("expect"))


def access(ask: Ask) -> Response:
    until = _day(ask, "until", _today(ask))
    since = _day(ask, "since", until - timedelta(days=7))
    found = access_log.entries(ask.reads, since=since, until=until, subject=ask.wanted("subject"), by=ask.wanted("by"))
    return ask.page(
        "access.html",
        entries=found[::-1][:MOST_ENTRIES],
        count=len(found),
        most=MOST_ENTRIES,
        since=since,
        until=until,
        subject=ask.wanted("subject"),
        by=ask.wanted("by"),
    )


def _today(ask: Ask) -> date:
    return datetime.now(ask.reads.zone).date()


def _day(ask: Ask, name: str, otherwise: date) -> date:
    told = ask.wanted(name)
    return day_of(told) if told else otherwise
