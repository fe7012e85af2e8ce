"""Copies of what tests have set up: cheaper than to set it up again."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sqlalchemy

from minhu.settings import Settings


def copied(scratch: Callable[..., Settings], settings: Settings, config: Path | None = None) -> Settings:
    """A copy of an installation: database, home, drop folder, and configuration to be edited, in ``config`` if given.

    Logins belong to the server: the copy has those of the original. Nobody may be connected to the original.
    """
    copy = scratch(template=sqlalchemy.make_url(settings.database_url).database)
    inside = {"read"} | ({"config"} if settings.config.parent == settings.home else set())
    own = shutil.ignore_patterns(*inside)  # read is of the project: each home has a link to it
    shutil.copytree(settings.home, copy.home, symlinks=True, dirs_exist_ok=True, ignore=own)
    return replace(copy, config=shutil.copytree(settings.config, config or copy.home / "config"))
