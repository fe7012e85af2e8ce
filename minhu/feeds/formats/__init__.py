"""How a delivery's bytes are written: the declared formats. Reading them is `minhu.feeds.formats.read`.

Declarations are read whenever Airflow parses its DAGs, so nothing heavy is imported here.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from minhu.declaration import Declared


class Csv(Declared):
    type: Literal["csv"]
    encoding: Literal["utf-8", "utf-8-sig", "gb18030"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'


class Xlsx(Declared):
    type: Literal["xlsx"]
    sheet: str | None = None
    """The first sheet unless named."""


class Json(Declared):
    type: Literal["json"]
    records: str = ""
    """Dotted path to the array of records; empty: the file is the array."""


class Xml(Declared):
    type: Literal["xml"]
    record: str
    """Name of the element that holds one record."""


Format = Annotated[Csv | Xlsx | Json | Xml, Field(discriminator="type")]
