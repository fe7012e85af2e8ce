"""What units are called, for whoever reads a code."""

from collections.abc import Iterable

from minhu import database
from minhu.settings import Settings


def unit_names(settings: Settings, codes: Iterable[str | None]) -> dict[str, str]:
    """The newest name of each unit among ``codes`` that the register knows."""
    asked = sorted({code for code in codes if code})
    if not asked:
        return {}
    with database.connect(settings) as connection:
        return dict(connection.execute(_NEWEST, [asked]).fetchall())


_NEWEST = """
select distinct on (unit_code)
    unit_code,
    unit_name
from mart.dim_unit
where unit_code = any(%s)
order by unit_code, valid_from desc
"""
