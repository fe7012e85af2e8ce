"""How a delivery's bytes come: the declared sources. Fetching from them is `minhu.feeds.sources.fetch`.

Declarations are read whenever Airflow parses its DAGs, so nothing heavy is imported here. A declaration never holds a
secret: it names one.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from minhu.declaration import Declared


class DropFolder(Declared):
    """Files that a sender drops. ``path`` is relative to ``MINHU_DROP``; ``{date}`` is the business date, YYYYMMDD.

    ``*`` and ``?`` stand for what varies in a name; each file that fits is a batch of its own.
    """

    type: Literal["drop_folder"]
    path: str
    settle_seconds: Annotated[float, Field(ge=0, le=600)] = 2
    """A file younger than this may still be growing: it is taken once its size and time have stood still so long."""
    done_suffix: str | None = None
    """A file is taken only when one with this suffix lies beside it (``cases.csv.done``). A number in it is the sender's
    count of rows."""
    archive: str | None = None
    """A folder, relative to ``MINHU_DROP``, into which a file moves once it is loaded. Nothing is ever deleted."""

    @field_validator("path", "archive")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("/") or ".." in Path(value).parts):
            raise ValueError("the path must stay inside the drop folder")
        return value

    @field_validator("path")
    @classmethod
    def _dated(cls, value: str) -> str:
        if "{date}" not in value:
            raise ValueError("the path must hold {date}, so that a file tells its business date")
        return value


Source = Annotated[DropFolder, Field()]
