"""A table of docs/privacy.md that a test writes: it cannot go stale."""

import os

from minhu.settings import PROJECT_ROOT

DOC = PROJECT_ROOT / "docs" / "privacy.md"


def check(mark: str, by: str, table: str) -> None:
    """The table between the marks is ``table``; with MINHU_WRITE_DOCS set it is written."""
    opening, closing = f"<!-- {mark}: written by {by} -->\n", f"<!-- /{mark} -->"
    before, rest = DOC.read_text(encoding="utf-8").split(opening)
    published, after = rest.split(closing)
    if os.environ.get("MINHU_WRITE_DOCS"):
        DOC.write_text(before + opening + table + closing + after, encoding="utf-8")
        published = table
    assert published == table, "run this test once with MINHU_WRITE_DOCS=1 and read what changed"
