"""What a city declares as versioned rows of ``config``, so that rules reach SQL as data.

A version is a moment at which something differed; an entry keeps the versions between which it held. Reading the same
folder twice makes no new version.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from minhu import database
from minhu.config.entries import read_config
from minhu.config.registers import Entries
from minhu.errors import Refused, foreign
from minhu.hashing import files_sha256
from minhu.settings import Settings


def sync(settings: Settings) -> int:
    """Writes what changed in the configuration as a new version; returns the version now in force.

    Raises Refused when the warehouse belongs to another city or was built in another time zone, BadDeclaration when the
    configuration is wrong.
    """
    entries, digest = _declared(settings.config)
    with database.connect(settings) as connection:
        database.lock(connection, database.LOCK_CONFIG)
        newest = connection.execute(_NEWEST).fetchone()
        city = next(key for kind, key in entries if kind == "city")
        if newest and newest[1] != city:
            raise Refused(
                f"this warehouse belongs to the city {newest[1]!r}, but {settings.config} configures {city!r}; "
                "set MINHU_HOME to another folder, or MINHU_CONFIG to the city's own"
            )
        if newest and newest[2] == digest:
            return newest[0]
        _assert_same_zone(connection, entries["city", city]["timezone"])
        version = database.one(
            connection,
            "insert into config.version (city, sha256) values (%s, %s) returning config_version",
            [city, digest],
        )[0]
        _write(connection, entries, version)
        return version


_NEWEST = "select config_version, city, sha256 from config.version order by config_version desc limit 1"


def assert_in_force(settings: Settings) -> None:
    """Raises Refused where the folder declares something else than the warehouse has in force: for a worker, whose
    builds would bring its own into force, back and forth with the others."""
    _, digest = _declared(settings.config)
    with database.connect(settings) as connection:
        newest = connection.execute(_NEWEST).fetchone()
    if newest is None or newest[2] != digest:
        in_force = f"version {newest[0]}, of {newest[1]}" if newest else "none"
        raise Refused(
            f"{settings.config} is not the configuration in force ({in_force}): bring the same to every machine, then"
            " `minhu up` beside the scheduler"
        )


def _declared(folder: Path) -> tuple[Entries, str]:
    with foreign.told("declaration", file=folder):
        text = files_sha256(folder, filter(Path.is_file, folder.rglob("*")))
    return _read(folder, text)


def _assert_same_zone(connection: psycopg.Connection, timezone: str) -> None:
    """Every date of the facts is one of the zone that they were built in; no build would make them all anew."""
    built_in = connection.execute(
        "select data ->> 'timezone' from config.entry where kind = 'city' and until_version is null"
        " and exists (select from audit.build where status = 'succeeded')"
    ).fetchone()
    if built_in and built_in[0] != timezone:
        raise Refused(
            f"the facts of this warehouse are dated in {built_in[0]}, but city.yml says timezone: {timezone};"
            " set it back, or load into a warehouse of its own (MINHU_HOME)"
        )


@lru_cache(maxsize=2)
def _read(folder: Path, text: str) -> tuple[Entries, str]:
    """The entries of a folder whose files hash to ``text``, and what they hash to. Not to be changed."""
    entries = read_config(folder)
    content = json.dumps([[*key, data] for key, data in sorted(entries.items())])
    return entries, hashlib.sha256(content.encode()).hexdigest()


def _write(connection: psycopg.Connection, entries: Entries, version: int) -> None:
    """Closes the entries that went or changed, opens the new ones."""
    connection.execute("create temp table fresh (kind text, key text, data jsonb) on commit drop")
    with connection.cursor() as cursor, cursor.copy("copy fresh from stdin") as copy:
        for (kind, key), data in entries.items():
            copy.write_row((kind, key, Jsonb(data)))
    connection.execute(
        "update config.entry as old set until_version = %s where until_version is null and not exists"
        " (select from fresh where fresh.kind = old.kind and fresh.key = old.key and fresh.data = old.data)",
        [version],
    )
    connection.execute(
        "insert into config.entry (kind, key, data, since_version) select kind, key, data, %s from fresh"
        " where not exists (select from config.entry as old where old.kind = fresh.kind and old.key = fresh.key"
        " and old.until_version is null)",
        [version],
    )
    connection.execute("analyze config.entry")
