"""``python -m tests.sayings`` writes what cities write, and how it is said, into ``docs/schemes.md``: what
``minhu/schemes/sayings.yml`` holds."""

import re

from minhu.schemes.sayings import as_markdown
from minhu.settings import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "schemes.md"
_SHOWN = re.compile(r"(<!-- sayings: .*?-->\n\n).*?(?=<!-- /sayings -->)", re.DOTALL)


def with_sayings(text: str) -> str:
    """The document with the table as it is now."""
    return _SHOWN.sub(lambda found: f"{found[1]}{as_markdown()}\n", text)


if __name__ == "__main__":
    DOCUMENT.write_text(with_sayings(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
