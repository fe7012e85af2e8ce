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

from sqlalchemy import URL, make_url

from minhu import database
from minhu.database import logins, people
from minhu.errors import NotSignedIn, Refused, Retryable
from minhu.settings import Asker, Settings

GROUPS = ("evaluator", "auditor", "unit", "engineer", "bi")
"""Whose pages there are. Who belongs to several comes as the first of these that he belongs to."""
SIGNIN = "signin"
LASTS = timedelta(hours=8)
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


@dataclass(frozen=True)
class Desk:
    """Signs people in and out of one installation. ``prefix``: how the portal's logins begin."""

    settings: Settings
    prefix: str = "portal_"

    def open(self) -> None:
        """Makes the portal's logins, one for each group and one that signs in; as the owner. Harmless when done."""
        with database.connect(self.settings) as connection:
            there = {name for (name,) in connection.execute("select rolname from pg_roles where rolcanlogin")}
            for group in (*GROUPS, SIGNIN):
                name, password = self._login(group), self._password(group)
                if name in there:
                    logins.set_password(connection, name, password)
                else:
                    logins.add_login(connection, name, group, is_portal=group != SIGNIN, password=password)

    def sign_in(self, name: str, password: str, address: str = "") -> Session:
        """Opens a session for who comes from ``address``.

        Raises Refused where the server does not let him in or there are no pages for his groups, Retryable where he,
        or his address, has to wait after wrong ones.
        """
        at_the_door, who = self._as(SIGNIN), [_hash(f"name {name}"), _hash(f"address {address}")]
        with database.connect(at_the_door) as connection:
            waits = database.one(connection, "select portal.waits(%s, %s)", who)[0]
        if waits and waits > timedelta():
            raise Retryable(f"too many wrong passwords: wait {waits.seconds + 1} seconds")
        try:
            people.prove(at_the_door, name, password)
        except Refused:
            with database.connect(at_the_door) as connection:
                connection.execute("select portal.note_failure(%s, %s)", who)
            raise
        groups = people.groups_of(at_the_door, name)
        group = next((one for one in GROUPS if one in groups), None)
        if group is None:
            raise Refused(f"there are no pages for {', '.join(sorted(groups)) or 'a login of no group'}")
        session = Session(group, secrets.token_urlsafe(32))
        with database.connect(at_the_door) as connection:
            connection.execute("select portal.forget_failures(%s)", who[:1])
            connection.execute("select portal.open_session(%s, %s, %s)", [name, _hash(session.token), LASTS])
        return session

    def sign_out(self, session: Session) -> None:
        with database.connect(self._as(SIGNIN)) as connection:
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


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
