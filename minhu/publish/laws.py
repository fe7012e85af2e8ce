"""The schemes that have scored here: every version that the configuration brought, and since when."""

from dataclasses import dataclass
from datetime import datetime

from minhu import database
from minhu.errors import Refused, foreign
from minhu.schemes.scheme import Scheme
from minhu.settings import Settings


@dataclass(frozen=True)
class Law:
    """A version of a scheme. ``until``: when another took its place; None of the one in force."""

    scheme: Scheme
    since: datetime
    until: datetime | None


def laws(settings: Settings, scheme_id: str | None = None) -> list[Law]:
    """Every version of every scheme, or of one, the newest of each first. Raises Refused where a login reads none."""
    with (
        database.connect(settings) as connection,
        foreign.told("read", user=connection.info.user, what="the schemes", instead="an evaluator's does"),
    ):
        rows = connection.execute(_LAWS, {"id": scheme_id}).fetchall()
    return [Law(Scheme.from_entry(data), since, until) for data, since, until in rows]


def law(settings: Settings, scheme_id: str, version: str | None = None) -> Law:
    """A version of a scheme, by its 12 digits; the newest unless given. Raises Refused where there is none."""
    found = [one for one in laws(settings, scheme_id) if version in (None, one.scheme.scheme_version)]
    if not found:
        raise Refused(f"there is no scheme {scheme_id!r} of the version {version or 'in force'} here")
    return found[0]


_LAWS = """
select
    entry.data,
    brought.loaded_at,
    ended.loaded_at
from config.entry
inner join config.version as brought on entry.since_version = brought.config_version
left join config.version as ended on entry.until_version = ended.config_version
where entry.kind = 'scheme' and (%(id)s::text is null or entry.key = %(id)s)
order by entry.key asc, entry.since_version desc
"""
