"""Reports of releases, kept for a while: a release never changes, and a city's has ten thousand numbers.

Whoever asks still asks the database first, as himself, which release it is; he is given what is kept of that one. What
may change beside it, the newest revision and whether facts are newer, is part of what it is kept by; names may lag.
"""

import threading
import time
from collections import OrderedDict

from psycopg.rows import tuple_row

from minhu import database
from minhu.export.read import read_report
from minhu.export.report import Report
from minhu.settings import Settings

MOST = 24
LASTS = 300.0
"""Seconds, after which it is read anew whatever it is kept by."""
Key = tuple[object, ...]
_kept: "OrderedDict[Key, tuple[float, Report]]" = OrderedDict()
_alone = threading.Lock()


def published(reads: Settings, period: str, scheme: str, revision: int | None) -> Report:
    """As `read_report`, of what is published; where nothing is, the newest score. Raises as that does."""
    key = _key(reads, period, scheme, revision)
    now = time.monotonic()
    if key is not None:
        with _alone:
            found = _kept.get(key)
            if found and now - found[0] < LASTS:
                _kept.move_to_end(key)
                return found[1]
    report = read_report(reads, period, scheme, revision=revision)
    if key is not None:
        with _alone:
            _kept[key] = now, report
            while len(_kept) > MOST:
                _kept.popitem(last=False)
    return report


def _key(reads: Settings, period: str, scheme: str, revision: int | None) -> Key | None:
    """What a report is kept by: the release that this person is told of, and what may change beside it."""
    with database.connect(reads) as connection, connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_RELEASE, {"period": period, "scheme": scheme, "revision": revision}).fetchone()
        port = connection.info.port, connection.info.dbname
    return None if row is None or row[0] is None else (*port, *row)


_RELEASE = """
select
    told.hash,
    newest.revision,
    (select max(build_id) from audit.build where status = 'succeeded')
from (
    select release.hash
    from publish.release
    where
        release.period = %(period)s
        and release.scheme_id = %(scheme)s
        and (%(revision)s::int is null or release.revision = %(revision)s)
        and exists (select from publish.unit_score where unit_score.release_id = release.release_id)
    order by release.revision desc
    limit 1
) as told
cross join (
    select max(release.revision) as revision
    from publish.release
    where release.period = %(period)s and release.scheme_id = %(scheme)s
) as newest
"""
