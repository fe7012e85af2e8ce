"""The way into Airflow, without Airflow: passwords, guesses, and a city's own sign-on."""

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from minhu import database
from minhu.airflow_users import door, rights
from minhu.database.logins import add_login
from minhu.database.sign_on import Provider
from minhu.errors import Refused
from minhu.services import control
from minhu.services.airflow_home import AirflowHome
from minhu.settings import Settings
from tests.idp import CLIENT, SECRET, Idp

HERE = "http://airflow.city.example"


class Browser:
    """An application, asked without a server, by somebody who keeps his cookies."""

    def __init__(self, of, place: str = "10.0.0.1"):
        self._of, self._place, self._cookies = of, place, httpx.Cookies()

    def ask(self, method: str, path: str, **given) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._of, client=(self._place, 1))
            async with httpx.AsyncClient(transport=transport, base_url=HERE, cookies=self._cookies) as client:
                answer = await client.request(method, path, **given)
                self._cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def sign_in(self, name: str, password: str) -> httpx.Response:
        return self.ask("POST", "/token", json={"username": name, "password": password})


@pytest.fixture(scope="module")
def city(scratch):
    return scratch()


@pytest.fixture(scope="module")
def passwords(city) -> Iterator[dict[str, str]]:
    with database.connect(city) as owner:
        found = {name: add_login(owner, name, group) for name, group in (("door_li", "engineer"), ("door_bi", "bi"))}
    yield found
    with database.connect(city) as owner:
        for name in found:
            owner.execute(f"drop role {name}")


@pytest.fixture
def built(city, monkeypatch):
    """Makes the way in; what was told to Airflow's log."""
    monkeypatch.setattr(door, "SLOW", 0)
    told = []

    def make(provider: Provider | None = None):
        return door.app(
            door.Hall(
                settings=city,
                token=lambda name, of_cli: f"token of {name}{' for a command line' if of_cli else ''}",
                let_in=lambda answer, name, request: answer.set_cookie("_token", name),
                is_ours=lambda target, request: target.startswith("/"),
                log=lambda *event: told.append(event),
                home="/",
                base=HERE,
                provider=provider,
                secret="of the session",
            )
        )

    make.told = told
    return make


def test_a_right_password_gives_a_token_and_stands_in_the_log(built, passwords):
    browser = Browser(built())
    told = browser.sign_in(" door_li ", passwords["door_li"])
    assert (told.status_code, told.json()) == (201, {"access_token": "token of door_li"})
    given = {"username": "door_li", "password": passwords["door_li"]}
    assert browser.ask("POST", "/token/cli", json=given).json() == {
        "access_token": "token of door_li for a command line"
    }
    assert browser.ask("POST", "/token", data=given).status_code == 201
    assert built.told == [("sign_in", "door_li", "10.0.0.1")] * 3
    assert browser.sign_in("door_bi", passwords["door_bi"]).status_code == 403
    assert len(built.told) == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"door_li"',
        "null",
        '{"username": "door_li"}',
        '{"username": "door_li", "password": 5}',
        "\0\udcff",
    ],
)
def test_a_body_that_cannot_be_read_is_not_told_again(built, body):
    headers = {"Content-Type": "application/json"}
    told = Browser(built()).ask("POST", "/token", content=body.encode(errors="surrogateescape"), headers=headers)
    assert told.status_code == 400 and "door_li" not in told.text


def test_a_body_without_end_is_not_read(built):
    told = Browser(built()).sign_in("door_li", "x" * door.LARGEST)
    assert told.status_code == 400


def test_what_was_typed_comes_back_as_text_and_never_the_password(built):
    given = {"username": "<b>x", "password": "s3cr3t", "next": '"><script>'}
    told = Browser(built()).ask("POST", "/login", data=given)
    assert told.status_code == 401 and "&lt;b&gt;x" in told.text
    assert "<b>x" not in told.text and "<script" not in told.text and "s3cr3t" not in told.text
    assert told.headers["cache-control"] == "no-store" and "frame-ancestors 'none'" in str(told.headers)


def test_who_guesses_is_not_heard_for_the_rest_of_a_minute(built, passwords, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(door.time, "monotonic", lambda: now)
    app = built()
    browser = Browser(app)
    for _ in range(door.OF_A_NAME - 1):
        assert browser.sign_in("door_li", "guess").status_code == 401
    assert browser.sign_in("door_li", passwords["door_li"]).status_code == 201  # and is forgiven
    for _ in range(door.OF_A_NAME):
        assert browser.sign_in("door_li", "guess").status_code == 401
    told = Browser(app, "10.0.0.2").sign_in("door_li", passwords["door_li"])
    assert (told.status_code, told.headers["retry-after"]) == (429, "61") and "请过 60 秒再试" in told.text
    for number in range(door.OF_A_PLACE - 2 * door.OF_A_NAME + 1):
        assert browser.sign_in(f"d_nobody{number}", "guess").status_code == 401
    assert browser.sign_in("d_another", "guess").status_code == 429, "whatever name it tries"
    assert Browser(app, "10.0.0.2").sign_in("d_another", "guess").status_code == 401
    now += door.WINDOW + 1
    assert Browser(app, "10.0.0.2").sign_in("door_li", passwords["door_li"]).status_code == 201


def test_many_guesses_at_once_are_many():
    tries = door.Tries()
    for _ in range(door.OF_A_NAME):
        tries.begin("door_li", "here", 0)
    with pytest.raises(door.Turned):
        tries.begin("door_li", "there", 0)
    for number in range(1000):
        tries.begin(f"d{number}", f"place {number}", 2 * door.WINDOW + number)
    assert len(tries._at) < 200, "what is over is forgotten"


def test_every_word_of_the_rights_is_airflows():
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity

    known = {of.name for of in (*AccessView, *DagAccessEntity)} | {"DAG", "ASSET", "POOL"}
    assert frozenset().union(*rights.LOOKS.values()) <= known
    assert {what for of in rights.ACTS.values() for _, what in of} <= known
    assert set(rights.ACTS) <= rights.LOOKS.keys()
    assert all(rights.may(frozenset({group}), "GET", what) for group, of in rights.ACTS.items() for _, what in of)


def test_who_runs_tasks_is_not_given_the_secret_of_the_sign_on(tmp_path, monkeypatch):
    monkeypatch.setenv("MINHU_OIDC_SECRET", SECRET)
    home = AirflowHome(Settings(home=tmp_path, config=tmp_path, drop=tmp_path, database_url=None))
    given = {
        name: SECRET in home.env(name).values() for name in (*control.COMMANDS, control.KEEPER, control.SUPERVISOR)
    }
    assert {name for name, is_given in given.items() if is_given} == {"api-server", "keeper", "supervisor"}


# A city's own sign-on


@pytest.fixture
def idp() -> Iterator[Idp]:
    made = Idp()
    yield made
    made.close()


@pytest.fixture
def signing_on(built, idp):
    """Goes to the provider and comes back with what it says; ``{}`` of the answer is what is changed on the way."""
    app = built(Provider.from_env({"MINHU_OIDC_URL": idp.url, "MINHU_OIDC_SECRET": SECRET}))

    def go(**changed) -> httpx.Response:
        browser = Browser(app)
        sent = browser.ask("GET", "/oidc?next=/dags/greets")
        idp.asked = {key: value for key, (value,) in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert idp.asked["redirect_uri"] == f"{HERE}/auth/oidc/callback"
        given = {"code": "the-code", "state": idp.asked["state"]} | changed
        return browser.ask("GET", "/oidc/callback", params=given)

    return go


def test_who_signed_on_enters_as_the_login_of_his_name(built, signing_on, idp, passwords):
    told = signing_on()
    assert (told.status_code, told.headers["location"]) == (303, "/dags/greets")
    assert told.cookies["_token"] == "door_li" and built.told == [("sign_in", "door_li", "10.0.0.1")]
    assert '<a class=way href="oidc">用统一身份认证登录' in Browser(
        built(Provider.from_env({"MINHU_OIDC_URL": idp.url}))
    ).ask("GET", "/login").text  # fmt: skip
    assert "统一身份认证" not in Browser(built()).ask("GET", "/login").text


@pytest.mark.parametrize("name", ["door_bi", "d_nobody", "minhu", "minhu_owner", "postgres"])
def test_whom_the_sign_on_names_and_the_database_does_not_let_in_stays_out(built, signing_on, idp, passwords, name):
    idp.says = {"preferred_username": name}
    told = signing_on()
    assert told.status_code == 403 and "没有可用的登录" in told.text and "_token" not in told.cookies
    assert built.told == []


@pytest.mark.parametrize(
    "says",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"aud": "another-client", "azp": CLIENT},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"preferred_username": ""},
        {"preferred_username": ["door_li"]},
        {"preferred_username": None},
    ],
    ids=str,
)
def test_what_the_sign_on_did_not_sign_for_us_and_now_is_refused(signing_on, idp, passwords, says):
    idp.says |= says
    told = signing_on()
    assert told.status_code == 401 and "没有确认您的身份" in told.text and "_token" not in told.cookies


def test_a_signature_of_another_key_a_strange_state_and_a_strange_code_are_refused(signing_on, idp, passwords):
    for changed in ({"state": "another"}, {"code": "another"}, {"error": "access_denied"}):
        assert signing_on(**changed).status_code == 401, changed
    idp.signs_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert signing_on().status_code == 401


def test_a_sign_on_that_is_away_is_told_and_the_password_still_works(built, passwords):
    browser = Browser(built(Provider.from_env({"MINHU_OIDC_URL": "http://127.0.0.1:1/"})))
    assert browser.ask("GET", "/oidc").status_code == 503
    assert browser.sign_in("door_li", passwords["door_li"]).status_code == 201


def test_a_sign_on_that_anybody_on_the_way_could_speak_for_is_refused():
    with pytest.raises(Refused, match="begins with https"):
        Provider.from_env({"MINHU_OIDC_URL": "http://idp.city.example"})
    assert Provider.from_env({}) is None
    assert SECRET not in repr(Provider.from_env({"MINHU_OIDC_URL": "https://idp", "MINHU_OIDC_SECRET": SECRET}))
