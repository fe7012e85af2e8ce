"""A published city, its people, and a browser without scripts: what each of them is answered over HTTP."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import httpx
import pytest
import sqlalchemy

from minhu import database
from minhu.database import logins
from minhu.portal.app import application
from minhu.portal.desk import GROUPS, SIGNIN, Desk
from minhu.publish import close, publish
from minhu.settings import Settings
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

    def __init__(self, desk: Desk) -> None:
        self._app = application(desk)
        self._cookies = httpx.Cookies()

    def get(self, path: str, **how: object) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, **how))

    def post(self, path: str, form: dict | None = None, origin: str | None = ORIGIN) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, data=form or {}, headers={"origin": origin} if origin else {}))

    def sign_in(self, name: str, password: str, path: str = "/login") -> httpx.Response:
        return self.post(path, {"name": name, "password": password})

    @property
    def cookie(self) -> str | None:
        return self._cookies.get("minhu")

    async def _ask(self, method: str, path: str, **how: object) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self._cookies) as client:
            answer = await client.request(method, path, **how)
            self._cookies = client.cookies
            return answer


@pytest.fixture(scope="module")
def house(scratch, tmp_path_factory) -> Iterator[House]:
    city = world.make(scratch, tmp_path_factory.mktemp("house"))
    people = {
        "evaluator": login(city, "house_shen", "evaluator"),
        "auditor": login(city, "house_wu", "auditor"),
        "unit": login(city, "house_u1", "unit", unit="U1"),
        "bi": login(city, "house_bi", "bi"),
    }
    world.judge(people["evaluator"], close(city, MONTH))
    publish(city, MONTH, why=UNWITNESSED)
    city = replace(city, home=tmp_path_factory.mktemp("house-home"))
    desk = Desk(city, prefix="house_portal_")
    desk.open()
    yield House(city, people, desk)
    with closing(database.connect(city, autocommit=True)) as owner:
        for name in (*GROUPS, SIGNIN):
            logins.drop_login(owner, f"house_portal_{name}")


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house.desk)
