"""The words of codes: one Chinese and one English wording of each, for every screen, export, report and page.

A code means something within its kind (``EVENT_TYPE``, ``BATCH_STATUS``); ``KINDS`` has them by name. What words a code
anywhere else fails ``tests/test_glossary.py``. Sentences that take numbers stay where they are said.
"""

from minhu.glossary import cases, columns, decided, delivered, law, watched
from minhu.glossary.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for module in (cases, delivered, law, decided, watched, columns)
    for kind in vars(module).values()
    if isinstance(kind, Kind)
}
