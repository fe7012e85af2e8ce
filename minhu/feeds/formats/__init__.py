"""How a delivery's bytes are written: the declared formats. Reading them is `minhu.feeds.formats.read`.

Declarations are read whenever Airflow parses its DAGs, so nothing heavy is imported here.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong

Encoding = Literal["auto", "utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16le", "utf-16be"]
OneAscii = Annotated[str, StringConstraints(pattern=r"^[\t\x1c-\x7e]$")]
RowCount = Annotated[int, Field(ge=0, le=1000)]


def _is_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise Wrong(f"{pattern!r} is not a regular expression: {error}", f"{pattern} 不是正则表达式：{error}") from None
    return pattern


Pattern = Annotated[str, StringConstraints(min_length=1), AfterValidator(_is_pattern)]


class _File(Declared):
    """What any format may be wrapped in."""

    compression: Literal["none", "gzip", "zip", "auto"] = "none"
    """``auto``: as the file's first bytes say."""
    member: str | None = None
    """Which file of a zip: a pattern such as ``*工单*.csv``. Without it the zip must hold exactly one."""
    max_bytes: Annotated[int, Field(gt=0)] = 2 * 1024**3
    """A compressed file that unpacks to more is refused."""


class _Sheet(_File):
    """A table with a header row, and lines around it that are no records."""

    skip_rows: RowCount = 0
    """Title lines before the header."""
    footer_rows: RowCount = 0
    """Lines after the last record, always as many. Where they may be missing, say ``footer_pattern``."""
    footer_pattern: Pattern | None = None
    """Lines at the end that start with this are no records, such as ``合计``."""


class Csv(_Sheet):
    type: Literal["csv"]
    encoding: Encoding = "utf-8"
    delimiter: OneAscii = ","
    quote: OneAscii | None = '"'
    """Null: the sender does not quote."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a file without a header."""

    @model_validator(mode="after")
    def _distinct(self) -> "Csv":
        if self.delimiter == self.quote:
            raise Wrong("delimiter and quote are the same character", "delimiter 和 quote 不能是同一个字符")
        return self


class Xlsx(_Sheet):
    type: Literal["xlsx"]
    sheet: str | None = None
    """The first sheet unless named."""


class Json(_File):
    type: Literal["json"]
    encoding: Encoding = "utf-8"
    records: str = ""
    """Dotted path to the array of records; empty: the file is the array."""
    lines: bool = False
    """One object per line."""

    @model_validator(mode="after")
    def _one_way(self) -> "Json":
        if self.lines and self.records:
            raise Wrong(
                "with `lines` every line is a record; leave out `records`", "写了 lines（一行一条）就不要再写 records"
            )
        return self


class Xml(_File):
    type: Literal["xml"]
    record: Annotated[str, StringConstraints(min_length=1)]
    """Name of the element that holds one record, or its path such as ``data/rows/row``."""
    namespaces: dict[str, str] = Field(default_factory=dict)
    """Prefix → URI, for a ``record`` written with prefixes. A name without a prefix fits any namespace."""
    encoding: Encoding = "auto"
    """``auto``: as the prolog says, which must fit. What is declared wins over a prolog that is wrong."""

    @model_validator(mode="after")
    def _known_prefixes(self) -> "Xml":
        for step in self.record.split("/"):
            prefix, colon, name = step.rpartition(":")
            if (colon and prefix not in self.namespaces) or not re.fullmatch(r"[^\W\d][\w.-]*", name):
                raise Wrong(
                    f"record: {step!r} is no element name, or its prefix is not in namespaces",
                    f"record：{step} 不是元素名，或它的前缀没有写进 namespaces",
                )
        return self


class Parquet(_File):
    type: Literal["parquet"]


Format = Annotated[Csv | Xlsx | Json | Xml | Parquet, Field(discriminator="type")]
