"""Exports of a scored period: workbook, CSV, JSON, and the bulletin (通报) for Word, as PDF and as a web page."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minhu.errors import Refused, foreign
from minhu.export.bulletin import bulletin, cover
from minhu.export.public import suppress
from minhu.export.read import read_report
from minhu.export.report import Report
from minhu.export.words import Lang, Words
from minhu.paper.fonts import find_faces
from minhu.privacy import access_log
from minhu.settings import Settings


@dataclass(frozen=True)
class Asked:
    """What is exported. ``units``: codes or names; ``table``: of a CSV; ``number``: the document number (文号).

    ``revision``: of what is published, the newest unless given. ``is_draft``: the newest score instead.
    """

    format: str
    lang: Lang = "zh"
    units: tuple[str, ...] = ()
    is_public: bool = False
    table: str = "indicators"
    number: str | None = None
    revision: int | None = None
    is_draft: bool = False


def export(
    settings: Settings, period: str, out: Path, asked: Asked, scheme_id: str | None = None, why: str | None = None
) -> Report:
    """Writes what is published of ``period``, else its newest score, to ``out``, whole or not at all; returns it.

    It stands in the access log, with the login and ``why``, before the file is written.

    Raises Refused when the period was not scored, has no such revision, a unit is unknown, there is no Chinese font, or
    ``out`` cannot be written.
    """
    if asked.is_public and (asked.units or asked.table == "evidence"):
        left = "--unit" if asked.units else "--table evidence"
        raise Refused(f"a public version holds no unit's rows; leave out {left} or --public")
    assert_can_put(out)
    report = read_report(
        settings,
        period,
        scheme_id,
        revision=asked.revision,
        is_draft=asked.is_draft,
        explained=_explained(asked),
        number=asked.number,
    )
    if asked.is_public:
        report = suppress(report)
    content = write(report, asked)
    access_log.record_export(settings, _told(report, asked), why)
    put(out, content)
    return report


def write(report: Report, asked: Asked) -> bytes:
    """The report in the format asked for; a bulletin or workbook with a part of its own for each unit asked for."""
    if asked.format not in FORMATS:
        raise Refused(f"there is no format {asked.format!r}; there are {', '.join(FORMATS)}")
    units: tuple[str, ...] = ()
    if asked.units:
        units = tuple(unit.code for _, unit in report.units() if any(one.costs is not None for one in unit.measured))
    return FORMATS[asked.format].write(report, asked, Words(asked.lang), units)


def _xlsx(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.export.to_xlsx import as_xlsx

    return as_xlsx(report, words, units)


def _csv(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.export.to_csv import as_csv

    return as_csv(report, asked.table)


def _json(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.export.to_json import as_json

    return as_json(report)


def _docx(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.paper.to_docx import as_docx

    return as_docx(bulletin(report, words, units), cover(report, words), find_faces())


def _pdf(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.paper.to_pdf import as_pdf

    return as_pdf(bulletin(report, words, units), cover(report, words), find_faces())


def _html(report: Report, asked: Asked, words: Words, units: tuple[str, ...]) -> bytes:
    from minhu.paper.to_html import as_html

    return as_html(bulletin(report, words, units), cover(report, words)).encode()


@dataclass(frozen=True)
class Format:
    """A way to write a report. ``write``: of the report, what is asked, the words, the units with a part of their own.

    ``has_rows``: whether it shows the rows behind every unit's lost points, named or not.
    """

    write: Callable[[Report, Asked, Words, tuple[str, ...]], bytes]
    has_rows: Callable[[Asked], bool] = lambda asked: False


FORMATS = {
    "xlsx": Format(_xlsx, lambda asked: True),
    "csv": Format(_csv, lambda asked: asked.table == "evidence"),
    "json": Format(_json, lambda asked: True),
    "docx": Format(_docx),
    "pdf": Format(_pdf),
    "html": Format(_html),
}
"""By the ending of the file."""


def _told(report: Report, asked: Asked) -> str:
    """The export in the words of the access log."""
    standing = f"revision {report.release.revision}" if report.release else "draft"
    parts = [report.scheme_id, report.period, standing, asked.format]
    parts += [asked.table] if asked.format == "csv" else []
    parts += ["public"] if asked.is_public else []
    return " ".join([*parts, *asked.units])


def _explained(asked: Asked) -> tuple[str, ...] | None:
    """The units whose lost points are taken apart into rows; None is every unit."""
    if asked.units or asked.is_public:
        return asked.units
    return None if FORMATS[asked.format].has_rows(asked) else ()


def assert_can_put(out: Path) -> None:
    """Raises Refused where no file can be written, before anybody waits for what is to be in it."""
    if out.is_dir() or not out.parent.is_dir():
        raise Refused(f"cannot write {out}: it is a folder" if out.is_dir() else f"there is no folder {out.parent}")
    probe = _beside(out)
    with foreign.told("write file", file=out):
        probe.touch()
        probe.unlink()


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}")


def put(out: Path, content: bytes) -> None:
    """Writes a file, whole or not at all. Raises Refused where it cannot."""
    fresh = _beside(out)
    try:
        with foreign.told("write file", file=out):
            fresh.write_bytes(content)
            fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


__all__ = ["FORMATS", "Asked", "Report", "assert_can_put", "export", "put", "read_report", "suppress", "write"]
