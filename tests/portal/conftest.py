"""A published city, its people, and a browser without scripts: what each of them is answered over HTTP."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree

import httpx
import pytest
import sqlalchemy
from starlette.applications import Starlette

from minhu import database
from minhu.config import sync
from minhu.database import logins
from minhu.portal.app import application
from minhu.portal.desk import GROUPS, SIGNIN, Desk
from minhu.publish import close, publish
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests import given
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, login

MONTH = "2026-10"
ORIGIN = "http://minhu.city.example"


@dataclass
class House:
    """A published October. ``people``: a login of each group."""

    city: Settings
    people: dict[str, Settings]
    desk: Desk

    def credentials(self, group: str) -> tuple[str, str]:
        at = sqlalchemy.make_url(str(self.people[group].database_url))
        return str(at.username), str(at.password)


class Browser:
    """Keeps its cookies; ``get`` and ``post`` follow no redirection."""

    def __init__(self, desk: Desk, app: Starlette | None = None) -> None:
        self._app = app or application(desk)
        self._cookies = httpx.Cookies()
        self.raises = True
        """Whether what breaks inside breaks the test; else the page that tells so is answered."""

    def get(self, path: str, **how: object) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, **how))

    def post(self, path: str, form: dict | None = None, origin: str | None = ORIGIN) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, data=form or {}, headers={"origin": origin} if origin else {}))

    def send(self, path: str, **how: object) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, **how))

    def sign_in_at_once(self, name: str, password: str, times: int) -> list[int]:
        """The status of each of so many who come together."""
        form, told = {"name": name, "password": password}, {"origin": ORIGIN}

        async def come() -> list[httpx.Response]:
            return await asyncio.gather(*[self._ask("POST", "/login", data=form, headers=told) for _ in range(times)])

        return [one.status_code for one in asyncio.run(come())]

    def sign_in(self, name: str, password: str, path: str = "/login") -> httpx.Response:
        return self.post(path, {"name": name, "password": password})

    @property
    def cookie(self) -> str | None:
        return self._cookies.get("minhu")

    def speak(self, lang: str) -> None:
        assert self.post("/language", {"lang": lang, "back": "/"}).status_code == 303

    async def _ask(self, method: str, path: str, **how: object) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=self.raises)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self._cookies) as client:
            answer = await client.request(method, path, **how)
            self._cookies = client.cookies
            return answer


GROUP = ("evaluator", "auditor", "unit", "bi", "engineer", "sender")
POSTED = given.CASES | {"name": "posted", "source": {"type": "push", "max_mb": 2}}
"""What its sender posts."""


def people(city: Settings, prefix: str, feed: str = "p1") -> dict[str, Settings]:
    """A login of each group; the unit's speaks for U1, the sender's posts for ``feed``."""
    names = {"evaluator": "shen", "auditor": "wu", "unit": "u1", "bi": "bi", "engineer": "gao", "sender": "song"}
    of = {"unit": {"unit": "U1"}, "sender": {"feeds": [feed]}}
    return {group: login(city, f"{prefix}_{names[group]}", group, **of.get(group, {})) for group in GROUP}


@contextmanager
def opened(city: Settings, home: Path, prefix: str, known: dict[str, Settings]) -> Iterator[House]:
    """The house with its desk open; the portal's logins are gone afterwards, since they belong to the whole server."""
    desk = Desk(replace(city, home=home), prefix=f"{prefix}_portal_")
    desk.open()
    yield House(city, known, desk)
    with closing(database.connect(city, autocommit=True)) as owner:
        for name in (*GROUPS, SIGNIN):
            logins.drop_login(owner, f"{prefix}_portal_{name}")


@pytest.fixture(scope="session")
def october(scratch, tmp_path_factory) -> Settings:
    """A city whose October is published, and in which nobody works: each module has a copy."""
    beside = [given.feed(code, role="response", deliveries=[POSTED]) for code in ("p1", "p2")]
    city = world.make(scratch, tmp_path_factory.mktemp("october"), beside=beside)
    for feed in beside:
        world.deliver(city, [], feed=feed["code"], delivery="posted")
    build(city)
    world.judge(people(city, "house")["evaluator"], close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    return city


@pytest.fixture(scope="module")
def house(october, copied, tmp_path_factory) -> Iterator[House]:
    city = copied(october)
    known = people(city, "house")  # anew, for another module may have changed what its people may
    home = tmp_path_factory.mktemp("house-home")
    copytree(city.home / "secrets", home / "secrets")  # another home of the same city: one key writes
    with opened(city, home, "house", known) as made:
        yield made


@pytest.fixture
def bare(scratch, tmp_path_factory) -> Iterator[House]:
    """A city that has written its configuration, and nothing of which was ever sent."""
    feeds = [given.feed("h1", deliveries=[given.CASES]), given.feed("p1", role="response", deliveries=[POSTED])]
    city = scratch(given.config(tmp_path_factory.mktemp("bare") / "config", feeds, units=world.UNITS))
    sync(city)
    with opened(city, tmp_path_factory.mktemp("bare-home"), "bare", people(city, "bare")) as made:
        yield made


@pytest.fixture
def enter(house: House) -> Callable[[str], Browser]:
    """``enter("unit")``: a browser in which that person has signed in."""

    def enter(group: str) -> Browser:
        browser = Browser(house.desk)
        assert browser.sign_in(*house.credentials(group)).status_code == 303
        return browser

    return enter


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house.desk)
