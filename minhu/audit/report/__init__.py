"""The monthly audit report (数据质量审计月报): one HTML file that needs no network, and the same as PDF."""

from dataclasses import dataclass
from pathlib import Path

from minhu.audit.report.chapters import chapters, month_zh
from minhu.audit.report.read import AuditReport, read_audit
from minhu.export import assert_can_put, put
from minhu.paper.blocks import Cover
from minhu.paper.fonts import find_faces
from minhu.paper.names import Names
from minhu.paper.to_html import as_html
from minhu.paper.to_pdf import as_pdf
from minhu.privacy import access_log
from minhu.settings import Settings

SAMPLE = 10


@dataclass(frozen=True)
class Written:
    """What was written. ``fingerprint``: of the inputs; the same inputs give the same two files."""

    report: AuditReport
    files: tuple[Path, ...]


def write_report(settings: Settings, month: str, out: Path, *, seed: str | None = None, n: int = SAMPLE) -> Written:
    """Writes ``audit-<month>.html`` and ``audit-<month>.pdf`` into the folder ``out``, each whole or not at all.

    ``seed`` draws the sample; the month unless given. Raises Refused when it is no month, there is nothing to report,
    or the files cannot be written: the folder is looked at first.
    """
    html, pdf = (out / f"audit-{month}.{ending}" for ending in ("html", "pdf"))
    for file in (html, pdf):
        assert_can_put(file)
    report = read_audit(settings, month, seed=seed or month, n=n)
    blocks = chapters(report)
    title = f"{month_zh(report)}数据质量审计月报"
    names = Names(duty["unit_name"] or "" for trace in report.traces for duty in trace.assignments)
    cover = Cover(title=title, head=title, subject=report.period.text, dated=report.as_of, names=names)
    written = {html: as_html(blocks, cover).encode(), pdf: as_pdf(blocks, cover, find_faces())}
    access_log.record_export(settings, f"audit report {report.period.text}")
    for path, content in written.items():
        put(path, content)
    return Written(report, tuple(written))


__all__ = ["AuditReport", "Written", "read_audit", "write_report"]
