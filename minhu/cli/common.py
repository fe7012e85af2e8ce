"""What every command shares: how it is listed, how it prints, how it tells of progress."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minhu.feeds import Feed

DATE = click.DateTime(["%Y-%m-%d"])


class Commands(click.Group):
    """Lists commands in the order they are written, which is the order a newcomer meets them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


class OneOf(click.Choice):
    """A choice among what some module lists; it is asked when somebody chooses, not when the commands are made."""

    def __init__(self, listed: Callable[[], Iterable[str]]):
        self.listed, self.case_sensitive = listed, True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override] # asked late, click keeps a value
        return tuple(self.listed())


def example(*lines: str) -> str:
    """The epilog of a command: how it is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def show(rows: list[dict], as_json: bool, columns: Iterable[str] = (), title: str = "") -> None:
    """A listing: one JSON array, or a table on a terminal and in logs alike."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        click.echo(f"{title}: none" if title else "(none)")
        return
    from rich.console import Console
    from rich.table import Table

    names = list(columns) or list(rows[0] if rows else ())
    table = Table(*names, title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)\.\d+")
"""A moment to the microsecond, as JSON keeps it; a table tells seconds."""


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    return "" if value is None else _MOMENT.sub(r"\1 \2", str(value))


def passphrase(key: Path) -> str | None:
    """What opens a private key: ``MINHU_KEY_PASSPHRASE``, else asked on a terminal; None where the file needs none."""
    if not key.is_file() or "ENCRYPTED" not in key.read_text(encoding="ascii", errors="replace")[:60]:
        return None
    return os.environ.get("MINHU_KEY_PASSPHRASE") or click.prompt(f"passphrase of {key.name}", hide_input=True)


def as_day(given: datetime | None) -> date | None:
    return given.date() if given else None


as_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def only_delivery(feed: "Feed", name: str | None) -> str:
    """The delivery named, or the only one. Raises UsageError where one must be named."""
    if name is None and len(feed.deliveries) > 1:
        names = ", ".join(delivery.name for delivery in feed.deliveries)
        raise click.UsageError(f"{feed.code} has several deliveries; say which with --delivery: {names}")
    return name or feed.deliveries[0].name


def tell(line: str) -> None:
    """What goes on, beside the answer."""
    click.echo(line, err=True)


def progress(total: int, what: str) -> AbstractContextManager[Callable[[str], None]]:
    from minhu.progress import progress

    return progress(total, what)
