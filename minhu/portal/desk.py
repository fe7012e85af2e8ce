"""From a name and a password to a session, and from a session to settings whose connections act as that person.

Somebody signs in with his own login of the database. Kept of it is the session that the database opened: its token lies
in the browser's cookie, its hash in the database, and nothing in this process.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import URL, make_url

from minhu import database
from minhu.config.city import City, PortalTerms
from minhu.database import logins, people
from minhu.declaration import read_declaration
from minhu.errors import NotSignedIn, Refused, Retryable
from minhu.portal.factor import Factors
from minhu.settings import Asker, Job, Settings

GROUPS = ("evaluator", "auditor", "unit", "engineer", "bi", "sender")
"""Whose pages there are. Who belongs to several comes as the first of these that he belongs to."""
SIGNIN = "signin"
LASTS = timedelta(hours=8)
HALFWAY = timedelta(minutes=5)
KEY = "portal-key"
"""The secret of the home from which the passwords of the portal's logins come."""


@dataclass(frozen=True)
class Session:
    """What the browser keeps. ``cookie`` is its only written form."""

    group: str
    token: str

    @property
    def cookie(self) -> str:
        return f"{self.group}.{self.token}"

    @classmethod
    def of_cookie(cls, cookie: str) -> "Session":
        """Raises NotSignedIn where it is none of ours; whether it holds the database says."""
        group, _, token = cookie.partition(".")
        if group not in GROUPS or not token:
            raise NotSignedIn("sign in first")
        return cls(group, token)


@dataclass(frozen=True)
class Person:
    """Who has signed in. ``units``: the codes of those that he speaks for; ``unit_names`` in the same order."""

    login: str
    group: str
    units: tuple[str, ...] = ()
    unit_names: tuple[str, ...] = ()

    @property
    def is_outside(self) -> bool:
        """Neither scored nor scoring nor auditing it: small cells are not his."""
        return self.group not in ("evaluator", "auditor", "unit")


class TriedTooOften(Retryable):
    """Wrong passwords or codes, more than a slip of the hand: whoever comes has to wait, for so many seconds."""

    def __init__(self, told: str, seconds: int) -> None:
        super().__init__(told)
        self.seconds = seconds


@dataclass(frozen=True)
class Halfway:
    """Somebody whose password was right: he has five minutes to show a code. ``secret``: for a phone to learn."""

    ticket: str
    login: str
    secret: str | None


@dataclass(frozen=True)
class Desk:
    """Signs people in and out of one installation. ``prefix``: how the portal's logins begin."""

    settings: Settings
    prefix: str = "portal_"

    def assert_on_primary(self) -> None:
        """Raises Refused where the server takes no writing: sessions and the access log are written."""
        with database.connect(self.settings) as connection:
            is_standby = database.one(connection, "select pg_is_in_recovery()")[0]
        if is_standby:
            raise Refused(
                "the server is a standby, and the portal writes who signs in and who reads what:"
                " MINHU_DATABASE_URL names the primary, MINHU_READ_URL a standby"
            )

    def open(self) -> None:
        """Makes the portal's logins, one for each group and one that signs in; as the owner. Harmless when done.

        Raises Refused on a standby.
        """
        self.assert_on_primary()
        with database.connect(self.settings) as connection:
            there = {name for (name,) in connection.execute("select rolname from pg_roles where rolcanlogin")}
            for group in (*GROUPS, SIGNIN):
                name, password = self._login(group), self._password(group)
                if name in there:
                    logins.set_password(connection, name, password)
                else:
                    logins.add_login(connection, name, group, is_portal=group != SIGNIN, password=password)

    def sign_in(self, name: str, password: str, address: str = "", code: str | None = None) -> Session:
        """Opens a session for who comes from ``address``; with the ``code`` of his phone where one is asked for.

        Raises Refused where the server does not let him in, there are no pages for his groups, or the code is missing
        or wrong; TriedTooOften where he, or his address, has to wait after wrong ones.
        """
        entered = self.enter(name, password, address)
        if isinstance(entered, Session):
            return entered
        if code is None or entered.secret is not None:
            raise Refused("a code of your phone is asked for: sign in on the pages first, or give the code")
        return self.finish(entered.ticket, code, address)

    def enter(self, name: str, password: str, address: str = "") -> "Session | Halfway":
        """A session; or, where a second factor is asked for, what comes halfway. Raises as `sign_in`."""
        self._wait(name, address)
        try:
            people.prove(self._door, name, password)
        except Refused:
            self._failed(name, address)
            raise
        return self.enter_known(name)

    def enter_known(self, name: str) -> "Session | Halfway":
        """As `enter`, of whom somebody else has proved to be the login ``name``: the city's own sign-on.

        Raises Refused where there are no pages for his groups, or no such login.
        """
        groups = people.groups_of(self._door, name)
        group = next((one for one in GROUPS if one in groups), None)
        if group is None:
            raise Refused(f"there are no pages for {', '.join(sorted(groups)) or 'a login of no group'}")
        has_one = self.factors.is_there(name)
        if not has_one and group not in self._terms.second_factor:
            return self._open_session(name, group)
        ticket = self._tickets.dumps([name, group])
        return Halfway(str(ticket), name, None if has_one else self.factors.enrol(name))

    def finish(self, ticket: str, code: str, address: str = "") -> Session:
        """The session of who came halfway and shows a code. Raises Refused where it is wrong, or too late."""
        try:
            name, group = self._tickets.loads(ticket, max_age=int(HALFWAY.total_seconds()))
        except BadSignature:
            raise Refused("that took too long: begin again") from None
        self._wait(name, address)
        if not self.factors.check(name, code.replace(" ", "")):
            self._failed(name, address)
            raise Refused("the code is wrong, or has been used")
        return self._open_session(name, group)

    def _open_session(self, name: str, group: str) -> Session:
        session = Session(group, secrets.token_urlsafe(32))
        with database.connect(self._door) as connection:
            connection.execute("select portal.forget_failures(%s)", [_hash(f"name {name}")])
            connection.execute("select portal.open_session(%s, %s, %s)", [name, _hash(session.token), LASTS])
        return session

    def _wait(self, name: str, address: str) -> None:
        """Raises TriedTooOften while whoever comes by this name, or from there, has to wait."""
        with database.connect(self._door) as connection:
            waits = database.one(connection, "select portal.waits(%s, %s)", _who(name, address))[0]
        if waits and waits > timedelta():
            seconds = int(waits.total_seconds()) + 1
            raise TriedTooOften(f"too many wrong passwords: wait {seconds} seconds", seconds)

    def _failed(self, name: str, address: str) -> None:
        with database.connect(self._door) as connection:
            connection.execute("select portal.note_failure(%s, %s)", _who(name, address))

    @property
    def factors(self) -> Factors:
        return Factors(self._door, bytes.fromhex(self.settings.secret(KEY)))

    @property
    def _tickets(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.settings.secret(KEY), salt="halfway")

    @property
    def _terms(self) -> PortalTerms:
        return read_declaration(City, self.settings.config / "city.yml").portal

    @property
    def _door(self) -> Settings:
        return self._as(SIGNIN)

    def sign_out(self, session: Session) -> None:
        with database.connect(self._door) as connection:
            connection.execute("select portal.end_session(%s)", [_hash(session.token)])

    def make_key(self, session: Session, name: str, may_decide: bool, lasts: timedelta) -> tuple[int, str]:
        """A key for a program of whoever has signed in: its number, and its written form, which is told once."""
        token = secrets.token_urlsafe(32)
        given = {"token_hash": _hash(token), "name": name, "may_decide": may_decide, "lasts": lasts}
        with database.connect(self.asks(session, reads=False)) as connection:
            number = database.act(connection, "portal.make_key", given)
        return number, Session(session.group, token).cookie

    def asks(self, session: Session, *, reads: bool = True) -> Settings:
        """Settings with which every function reads, or acts, as the person of the session."""
        return replace(self._as(session.group), asker=Asker(session.token, reads))

    def asks_for_job(self, login: str, job: Job) -> Settings:
        """Settings with which a runner reads, and records, as whoever asked for the job that it has claimed."""
        groups = people.groups_of(self.settings, login)
        group = next((one for one in GROUPS if one in groups), None)
        if group is None:
            raise Refused("the login that asked is gone, or there are no pages for its groups")
        return replace(self._as(group), asker=Asker(job.claim, reads=False, job=job.number))

    def person(self, session: Session) -> Person:
        """Raises NotSignedIn where the session has ended."""
        with database.connect(self.asks(session)) as connection:
            login = database.one(connection, "select portal.whoami()")[0]
            speaks = connection.execute(_SPEAKS_FOR).fetchall() if session.group == "unit" else []
        units, names = zip(*speaks, strict=True) if speaks else ((), ())
        return Person(login, session.group, units, names)

    def _as(self, group: str) -> Settings:
        there = self._there.set(username=self._login(group), password=self._password(group))
        at = there.render_as_string(hide_password=False)
        return replace(self.settings, database_url=at, asker=None)

    @cached_property
    def _there(self) -> URL:
        """Asked once: to find the embedded server takes longer than a page, and it keeps its port."""
        return make_url(database.url(self.settings))

    def _login(self, group: str) -> str:
        return f"{self.prefix}{group}"

    def _password(self, group: str) -> str:
        key = bytes.fromhex(self.settings.secret(KEY))
        return hmac.digest(key, self._login(group).encode(), hashlib.sha256).hex()


_SPEAKS_FOR = """
select distinct on (own.unit_code)
    own.unit_code,
    coalesce(named.unit_name, own.unit_code)
from assess.own_units() as own (unit_code)
left join mart.dim_unit as named on own.unit_code = named.unit_code
order by own.unit_code, named.valid_from desc nulls last
"""


def _who(name: str, address: str) -> list[bytes]:
    """By what somebody is counted who guesses."""
    return [_hash(f"name {name}"), _hash(f"address {address}")]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
