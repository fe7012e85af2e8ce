"""Who asks for a bundle, who allows it. The functions of the database that act say who, refuse, and log."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from minhu import database
from minhu.errors import Refused
from minhu.privacy.line import mask_line
from minhu.publish.close import find_release
from minhu.publish.stored_release import run_of
from minhu.schemes.period import Period
from minhu.schemes.plain import plain
from minhu.settings import Settings


@dataclass(frozen=True)
class BundleRequest:
    """A request, and what became of it. ``taken``: how often."""

    request_id: int
    scheme_id: str
    period: str
    revision: int
    asked_by: str
    asked_at: datetime
    allowed_by: str | None
    allowed_at: datetime | None
    taken: int
    why: str

    def as_json(self) -> dict:
        return plain(self) | {"state": self.state}

    @property
    def state(self) -> str:
        """``awaits_another`` or ``allowed``; the database refuses what was allowed too long ago."""
        return "allowed" if self.allowed_by else "awaits_another"


def ask(
    settings: Settings, period: str, revision: int | None = None, scheme_id: str | None = None, *, why: str
) -> BundleRequest:
    """Asks for the bundle of a revision of ``period``, the newest unless told.

    Raises Refused without a reason, where nothing was published, where the result is the mean of shorter periods, and
    to a login that is no auditor's.
    """
    with database.connect(settings) as connection:
        release = find_release(connection, Period.parse(period).text, revision, scheme_id)
        run = run_of(connection, release)
        if run.scheme.parts(run.period) is not None:
            raise Refused(
                f"{release.period} is the mean of shorter periods, which rest on the cases: ask for those, one by one"
            )
    return find_request(settings, _act(settings, "ask_for_bundle", release_id=release.release_id, why=mask_line(why)))


def allow(settings: Settings, request_id: int, *, why: str) -> BundleRequest:
    """Allows what another auditor asked for. Raises Refused to who asked himself, and where it is allowed already."""
    _act(settings, "allow_bundle", request_id=request_id, why=mask_line(why))
    return find_request(settings, request_id)


def list_requests(settings: Settings, period: str | None = None) -> list[BundleRequest]:
    """Every request, or those about a period, oldest first."""
    wanted = Period.parse(period).text if period else None
    return _read(settings, "%(period)s::text is null or release.period = %(period)s", {"period": wanted})


def find_request(settings: Settings, request_id: int) -> BundleRequest:
    """Raises Refused when there is none."""
    found = _read(settings, "asked.request_id = %(request_id)s", {"request_id": request_id})
    if not found:
        raise Refused(f"there is no request {request_id}; `minhu audit bundle PERIOD` lists them")
    return found[0]


def _act(settings: Settings, name: str, **given: object) -> int:
    with database.connect(settings) as connection:
        connection.read_only = False  # a login that only reads records this all the same
        return database.act(connection, f"audit.{name}", given)


def _read(settings: Settings, condition: str, given: dict) -> list[BundleRequest]:
    with database.connect(settings) as connection, connection.cursor(row_factory=class_row(BundleRequest)) as cursor:
        return cursor.execute(f"{_REQUESTS} where {condition} order by asked.request_id", given).fetchall()


_REQUESTS = """
select asked.request_id, release.scheme_id, release.period, release.revision, asked.asked_by, asked.asked_at,
    given.allowed_by, given.allowed_at, told.why,
    (select count(*) from audit.bundle_taking as taken where taken.request_id = asked.request_id) as taken
from audit.bundle_request as asked
inner join publish.release on asked.release_id = release.release_id
inner join audit.access_log as told on asked.request_id = told.entry_id
left join audit.bundle_allowance as given on asked.request_id = given.request_id
"""
