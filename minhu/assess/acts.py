"""Recording: one act, or all acts of a file in one transaction."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psycopg

from minhu import database
from minhu.assess.attachments import SUBJECTS, attach_by, media_type
from minhu.assess.files import Problem, read_rows, read_table, refusal
from minhu.errors import Refused, foreign
from minhu.glossary.cases import LEFT_OUT
from minhu.privacy.line import mask_line
from minhu.settings import Settings

FREE_TEXT = ("statement", "reason")
"""What people write in their own words: it may name a citizen, so it is masked before it leaves this process."""


MOST = 500
"""Rows of a file that somebody sends: until all are tried or entered, other decisions wait."""


CODES = ("grounds_code", "reason_code")
APPEALS = ("file_appeal", "decide_appeal")
MOMENTS = ("dispatched_at", "found_at")


def case_id(feed_code: str, case_no: str) -> str:
    """The key of a case, as ``case_id`` of the dbt macros makes it."""
    return hashlib.md5(f"{feed_code}|{case_no}".encode()).hexdigest()  # noqa: S324 - a key, no secret


def record(settings: Settings, act: str, **given: object) -> int:
    """Does ``assess.<act>``; returns the id of the row it wrote. Raises Refused with the database's reason.

    ``given``: the arguments by name; those that are None are left to their defaults.
    """
    return record_attached(settings, act, given, ())


def record_attached(settings: Settings, act: str, given: dict[str, object], files: Sequence[tuple[str, bytes]]) -> int:
    """As `record`, with names and bytes of what is attached to it: all of it stands, or nothing."""
    for _, content in files:
        media_type(content)
    with database.connect(settings) as connection:
        number = _call(connection, act, given)
        for name, content in files:
            attach_by(connection, SUBJECTS[act], number, name, content)
        return number


def record_file(settings: Settings, act: str, path: Path) -> list[int]:
    """Does ``act`` for every row of a CSV or workbook, or for none; returns the ids.

    Raises Refused with every wrong row: its line, column, what is wrong and how to mend it.
    """
    rows, problems = read_rows(act, path)
    return _record(settings, act, path.name, rows, problems)


def record_table(settings: Settings, act: str, name: str, content: bytes) -> list[int]:
    """As `record_file`, of what somebody sent under this name."""
    rows, problems = read_table(act, name, content, MOST)
    return _record(settings, act, name, rows, problems)


def try_table(settings: Settings, act: str, name: str, content: bytes) -> tuple[list[tuple[int, dict]], list[Problem]]:
    """What `record_table` would enter, each row with its line, and what is wrong with the others.

    The database is asked, as whoever sends it, in a transaction that is undone. Raises Refused where it cannot be read.
    """
    rows, problems = read_table(act, name, content, MOST)
    with database.connect(settings) as connection, connection.transaction(force_rollback=True):
        _, refused = _each(connection, act, rows)
    wrong = {problem.line for problem in refused}
    return [(line, row) for line, row in rows if line not in wrong], [*problems, *refused]


def _record(
    settings: Settings, act: str, name: str, rows: list[tuple[int, dict]], problems: list[Problem]
) -> list[int]:
    with database.connect(settings) as connection, connection.transaction():
        ids, refused = _each(connection, act, rows)
        if problems or refused:
            raise refusal(name, [*problems, *refused])
    return ids


def _each(connection: psycopg.Connection, act: str, rows: list[tuple[int, dict]]) -> tuple[list[int], list[Problem]]:
    ids, problems = [], []
    for line, row in rows:
        try:
            with connection.transaction():  # a savepoint: the rows after a wrong one are tried too
                ids.append(_call(connection, act, row))
        except Refused as error:
            problems.append(Problem(line, None, str(error)))
    return ids, problems


def _call(connection: psycopg.Connection, act: str, given: dict[str, object]) -> int:
    arguments = {name: value for name, value in given.items() if value is not None}
    if {"feed_code", "case_no"} <= arguments.keys():
        arguments["case_id"] = case_id(str(arguments.pop("feed_code")), str(arguments.pop("case_no")))
    if act == "file_appeal" and not arguments.keys() & {"unit_code", "published_row"}:  # a row says whose it is
        arguments["unit_code"] = _own_unit(connection)
    if act in APPEALS:
        arguments |= {name: _code(str(arguments[name])) for name in CODES if name in arguments}
    for name in MOMENTS:
        at = arguments.get(name)
        if isinstance(at, datetime) and at.tzinfo is None:  # as the exports tell it: the city's time
            arguments[name] = database.one(connection, "select %s::timestamp at time zone mart.city_zone()", [at])[0]
    arguments |= {name: mask_line(str(arguments[name])) for name in FREE_TEXT if name in arguments}
    arguments |= _indicators(connection, arguments)
    try:
        return database.act(connection, f"assess.{act}", arguments)
    except Refused as error:
        raise Refused(mask_line(str(error))) from None


def _indicators(connection: psycopg.Connection, given: dict[str, object]) -> dict[str, object]:
    """The indicators by their codes, where they are given by name (按时办结率)."""
    several, one = given.get("indicator_codes"), given.get("indicator_code")
    said = list(several) if isinstance(several, (list, tuple)) else [one] if one else []
    if not said:
        return {}
    query = "select assess.codes_of(%s::text[], %s)"
    with foreign.told("act", user=connection.info.user, act="assess.codes_of"):
        codes = database.one(connection, query, [said, given.get("scheme_id")])[0]
    return {"indicator_codes": codes} if several else {"indicator_code": codes[0]}


def _code(said: str) -> str:
    """The code of a word (错派); a city has codes of its own, which stay as they are."""
    return next((code for code in LEFT_OUT if LEFT_OUT.zh(code) == said), said)


def _own_unit(connection: psycopg.Connection) -> str:
    units = [unit for (unit,) in connection.execute("select assess.own_units()")]
    if len(units) != 1:
        raise Refused(f"the login {connection.info.user} speaks for {len(units)} units: name one (unit_code)")
    return units[0]
