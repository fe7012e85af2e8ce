"""The business date in addresses, paths and parameters."""

import re
from datetime import date


def dated(text: str, day: date) -> str:
    """``{date}`` as YYYYMMDD; ``{date:%Y-%m-%d}`` as the format says."""
    return re.sub(r"\{date(?::([^}]+))?\}", lambda found: day.strftime(found[1] or "%Y%m%d"), text)
