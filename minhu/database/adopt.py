"""A database that an earlier chain of migrations made is adopted by the baseline that replaced the chain.

The baseline is the files of ``sql/`` that are numbered below 200; ``sql/squashed.sha256`` names the files that it
replaced, with their hashes. Adopting changes nothing but the ledger: the names of the baseline join the old ones, once
the database is shown to be what the baseline makes. What it makes is not written down but tried, in the database itself
and under its owner's rights, in a transaction that is rolled back: PostgreSQL words a definition otherwise from version
to version.
"""

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from minhu.errors import Refused

SCHEMAS = ("config", "audit", "restricted", "staging", "build", "mart", "assess", "publish", "portal")
ROLES = ("minhu_bi", "minhu_evaluator", "minhu_auditor", "minhu_unit")
CATALOGUE = Path(__file__).with_name("catalogue.sql")
SQUASHED = "squashed.sha256"


def check(connection: psycopg.Connection, known: Mapping[str, str], baseline: list[bytes], folder: Path) -> None:
    """Raises Refused with the first difference where the database is not what ``baseline`` makes.

    ``known``: the migrations that the database has, with their hashes.
    """
    squashed = read_hashes(folder / SQUASHED)
    found = _of_the_chain(known, squashed) or _of_the_catalogue(connection, baseline)
    if found:
        raise Refused(
            f"this database is not what its migrations should have made, and stays as it is: {found}. Mend that, or "
            f"bring it up to date with the last commit that has sql/{max(squashed)}; then migrate again"
        )


def read_hashes(file: Path) -> dict[str, str]:
    """Names and hashes of a file as ``sha256sum`` writes it."""
    lines = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in lines}


def catalogue(connection: psycopg.Connection) -> dict[str, str]:
    """All that ``sql/`` owns in the database, by name, with what PostgreSQL says of it; see ``catalogue.sql``."""
    query = CATALOGUE.read_text(encoding="utf-8")
    rows = connection.execute(query, {"schemas": list(SCHEMAS), "roles": list(ROLES)}).fetchall()
    return {name: told for _, name, told in rows}


def _of_the_chain(known: Mapping[str, str], squashed: Mapping[str, str]) -> str | None:
    for name in sorted(known.keys() | squashed.keys()):
        if name not in known:
            return f"sql/{name} was never applied"
        if name not in squashed:
            return f"sql/{name} is no migration that this code knows"
        if known[name] != squashed[name]:
            return f"sql/{name} was applied in another version"
    return None


def _of_the_catalogue(connection: psycopg.Connection, baseline: list[bytes]) -> str | None:
    stands = catalogue(connection)
    with connection.transaction(force_rollback=True):
        for schema in SCHEMAS:
            if f"schema {schema}" in stands:
                aside = sql.Identifier(f"minhu_aside_{schema}")
                connection.execute(sql.SQL("alter schema {} rename to {}").format(sql.Identifier(schema), aside))
        for text in baseline:
            connection.execute(text)
        should = catalogue(connection)
    # What a role is stands in the cluster, whoever made it: the trial shows it too, and it should not be.
    return first_difference(stands, {name: told for name, told in should.items() if not name.startswith("role ")})


def first_difference(stands: Mapping[str, str], should: Mapping[str, str]) -> str | None:
    """The first thing that is missing, too much or otherwise, in words; None where there is none."""
    for name, told in should.items():
        if name not in stands:
            return f"the {name} is missing"
        if stands[name] != told:
            return f"the {name} is {_line(stands[name], told)}, should be {_line(told, stands[name])}"
    return next((f"the {name} should not be there" for name in stands if name not in should), None)


def _line(told: str, other: str) -> str:
    """The first line in which ``told`` differs from ``other``."""
    lines, others = told.splitlines(), other.splitlines()
    at = next((no for no, pair in enumerate(zip(lines, others, strict=False)) if pair[0] != pair[1]), len(others))
    return f"«{lines[at].strip()}»" if at < len(lines) else "at its end"
