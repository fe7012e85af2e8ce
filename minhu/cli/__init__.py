"""The command line. It parses, calls and prints; what a command does lives in the module it calls.

Exit codes: 0 done, 1 refused or failed with one clear line (of a declaration one for each slip), 2 wrong usage.
"""

import os
import sys
from importlib import import_module

import click

from minhu.cli.root import minhu
from minhu.errors import MinhuError

# In the order in which a newcomer meets them.
ROOMS = (
    "services",
    "tune",
    "backup",
    "standby",
    "feeds",
    "loading",
    "keys",
    "deliveries",
    "incidents",
    "quality",
    "warehouse",
    "bi",
    "assess",
    "waivers",
    "scores",
    "drafting",
    "publication",
    "federation",
    "anchors",
    "audit",
    "access_log",
)

for _room in ROOMS:
    import_module(f"minhu.cli.{_room}")


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; turns our errors, and what a login may not do, into one line and exit code 1."""
    try:
        minhu.main(arguments, standalone_mode=True)
    except MinhuError as error:
        click.echo(f"minhu: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction  # here: --help needs no driver

        if not isinstance(error, (InsufficientPrivilege, ReadOnlySqlTransaction)):
            raise
        click.echo(f"minhu: this login may not do that ({error}); see `minhu logins list`".replace("\n", " "), err=True)
        sys.exit(1)
