"""Who uses the pages and the API of Airflow, on a server of its own: what each group may, who acted, when it ends."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import psycopg
import pytest

from minhu import database, demo, services
from minhu.airflow_users.door import OF_A_NAME, SLOW
from minhu.airflow_users.rights import FRESH
from minhu.database import embedded, roles
from minhu.database.logins import add_login
from minhu.services.airflow_home import SESSION
from minhu.settings import PROJECT_ROOT, Settings

DAGS = '''
"""An airflow DAG that greets."""

from airflow.sdk import dag, task


def greeting(name, schedule):
    @dag(name, schedule=schedule, catchup=False)
    def greets():
        @task
        def greet():
            print("good morning")

        greet()

    return greets()


greeting("greets", None), greeting("greets_yearly", "@yearly")
'''
NOW = datetime.now(UTC).isoformat()
RUN = {"logical_date": None, "conf": {}}
POOL = {"name": "p", "slots": 1, "include_deferred": False}
# Each act of the table in docs/security.md, as Airflow's API is asked for it; `{run}` has ended.
ACTS = {
    "see DAGs": [("GET", "dags"), ("GET", "dags/greets/details")],
    "see runs and tasks": [("GET", "dags/~/dagRuns"), ("GET", "dags/greets/dagRuns/{run}/taskInstances")],
    "read logs": [("GET", "dags/greets/dagRuns/{run}/taskInstances/greet/logs/1")],
    "read XComs": [("GET", "dags/greets/dagRuns/{run}/taskInstances/greet/xcomEntries")],
    "download source": [("GET", "dagSources/greets")],
    "read who did what": [("GET", "eventLogs")],
    "read import errors": [("GET", "importErrors")],
    "see pools": [("GET", "pools")],
    "trigger": [("POST", "dags/greets/dagRuns", RUN)],
    "backfill": [("POST", "backfills/dry_run", {"dag_id": "greets_yearly", "from_date": NOW, "to_date": NOW})],
    "clear and mark": [
        ("POST", "dags/greets/clearTaskInstances", {"dry_run": True, "dag_run_id": "{run}"}),
        ("PATCH", "dags/greets/dagRuns/{run}", {"state": "failed"}),
        ("PATCH", "dags/greets/dagRuns/{run}/taskInstances/greet", {"new_state": "failed"}),
    ],
    "pause": [("PATCH", "dags/greets", {"is_paused": False})],
    "edit pools": [("POST", "pools", POOL), ("PATCH", "pools/p", POOL | {"slots": 2}), ("DELETE", "pools/p")],
    "delete DAGs, runs and tasks": [
        ("DELETE", "dags/greets"),
        ("DELETE", "dags/greets/dagRuns/{run}"),
        ("DELETE", "dags/greets/dagRuns/{run}/taskInstances/greet"),
    ],
    "write XComs": [("POST", "dags/greets/dagRuns/{run}/taskInstances/greet/xcomEntries", {"key": "k", "value": 1})],
    "read connections": [("GET", "connections")],
    "edit connections": [("POST", "connections", {"connection_id": "c", "conn_type": "http"})],
    "read variables": [("GET", "variables")],
    "edit variables": [("POST", "variables", {"key": "k", "value": "v"})],
    "read the configuration": [("GET", "config")],
}
LOOKERS = ("engineer", "auditor", "evaluator")


def table() -> dict[str, dict[str, bool]]:
    """What docs/security.md says of each act and group."""
    text = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    head, _, *rows = re.search(r"^\| in Airflow \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)[0].splitlines()
    groups = [cell.strip() for cell in head.strip("|").split("|")][1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {said for row in cells for said in row[1:]} == {"yes", "–"}
    return {act: {group: said == "yes" for group, said in zip(groups, told, strict=True)} for act, *told in cells}


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    own = home / "users"
    return Settings(home=own, config=PROJECT_ROOT / "config", drop=own / "drop", database_url=None)


@pytest.fixture(scope="module")
def url(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "greetings.py").write_text(DAGS)
    yield services.up(settings, dags=folder)
    services.down(settings)


@pytest.fixture(scope="module")
def passwords(settings: Settings, url: str) -> dict[str, str]:
    """Of one login of each group that has its name, and of three that are to go."""
    with database.connect(settings) as owner:
        found = {group: add_login(owner, f"u_{group}", group) for group in (*LOOKERS, "bi", "signin")}
        found |= {name: add_login(owner, f"u_{name}", "engineer") for name in ("locked", "moved", "gone", "guessed")}
        found["pages"] = add_login(owner, "u_pages", "evaluator", is_portal=True)
    return {f"u_{name}": password for name, password in found.items()}


@pytest.fixture(scope="module")
def run(settings: Settings, url: str) -> str:
    run = services.trigger(settings, "greets")
    assert services.wait(settings, [("greets", run)], 120) == {"greets": "success"}
    return run


def sign_in(url: str, name: str, password: str) -> httpx.Response:
    return httpx.post(f"{url}/auth/token", json={"username": name, "password": password}, timeout=60)


def bearer(url: str, name: str, passwords: dict[str, str]) -> dict[str, str]:
    told = sign_in(url, name, passwords[name])
    assert told.status_code == 201, told.text
    return {"Authorization": f"Bearer {told.json()['access_token']}"}


def test_the_table_has_every_act_and_every_group():
    assert table().keys() == ACTS.keys()
    assert {tuple(of) for of in table().values()} == {LOOKERS}


@pytest.mark.parametrize("group", LOOKERS)
def test_each_group_may_what_the_table_says_and_is_refused_the_rest(url: str, passwords, run: str, group: str):
    headers = bearer(url, f"u_{group}", passwords)
    wrong = []
    for act, of in table().items():
        for method, path, *body in ACTS[act]:
            given = [{key: run if value == "{run}" else value for key, value in body[0].items()}] if body else [None]
            place = f"{url}/api/v2/{path.replace('{run}', run)}"
            told = httpx.request(method, place, json=given[0], headers=headers, timeout=60)
            if of[group] != told.is_success or (not of[group] and told.status_code != 403):
                wrong.append((act, method, path, told.status_code, told.text[:200]))
    assert wrong == []


def test_the_demo_tells_a_login_for_everybody_and_tells_it_again(url: str, settings: Settings):
    told = demo._login(settings)
    assert demo._login(settings) == told
    name, password = re.fullmatch(r"用户 (admin)  密码 (\w{20})", told).groups()
    assert sign_in(url, name, password).status_code == 201


@pytest.mark.parametrize("name", ["u_bi", "u_signin", "u_pages"])
def test_a_group_that_does_not_use_airflow_is_told_so(url: str, passwords, name: str):
    told = sign_in(url, name, passwords[name])
    assert told.status_code == 403 and "不使用 Airflow" in told.json()["detail"]


def test_the_logins_of_the_house_and_the_superuser_are_nobody_here(url: str, settings: Settings):
    for name in (roles.OWNER, roles.WORK, roles.ENGINEER, roles.SUPERUSER):
        told = sign_in(url, name, settings.secret(f"{name}-password"))
        assert told.status_code in (401, 403), name


def test_what_somebody_did_stands_in_airflows_log_with_the_name_of_his_login(url: str, passwords, settings: Settings):
    headers = bearer(url, "u_engineer", passwords)
    begun = httpx.post(f"{url}/api/v2/dags/greets/dagRuns", json=RUN, headers=headers, timeout=60).json()
    assert begun["triggering_user_name"] == "u_engineer"
    client = services.airflow(settings)
    events = client.get("eventLogs?limit=200&order_by=-event_log_id")["event_logs"]
    told = {(event["event"], event["owner"]) for event in events}
    assert {("sign_in", "u_engineer"), ("trigger_dag_run", "u_engineer")} <= told
    ours = services.trigger(settings, "greets")
    assert client.get(f"dags/greets/dagRuns/{ours}")["triggering_user_name"] == "minhu"


def test_a_wrong_password_is_told_plainly_and_slowly_and_guessing_ends(url: str, passwords, settings: Settings):
    began = time.monotonic()
    told = sign_in(url, "u_guessed", "s3cr3t-guess")
    assert told.status_code == 401 and "密码不对" in told.json()["detail"]
    assert time.monotonic() - began >= SLOW
    assert [sign_in(url, "u_guessed", f"s3cr3t-{n}").status_code for n in range(OF_A_NAME - 1)] == [401] * 4
    told = sign_in(url, "u_guessed", passwords["u_guessed"])
    assert told.status_code == 429 and int(told.headers["Retry-After"]) > 1
    logs = "".join(path.read_text(errors="replace") for path in settings.home.rglob("*.log"))
    assert "does not let 'u_guessed' in" in logs
    assert [word for word in ("s3cr3t", *passwords.values()) if word in logs] == []


def test_a_browser_gets_a_session_that_ends_with_the_day_and_when_he_leaves(url: str, passwords):
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as browser:
        asked = browser.get("/auth/login")
        assert "登录名" in asked.text and "<script" not in asked.text
        given = {"username": "u_auditor", "password": "wrong", "next": f"{url}/dags"}
        told = browser.post("/auth/login", data=given)
        assert told.status_code == 401 and "密码不对" in told.text and 'value="u_auditor"' in told.text
        assert "wrong<" not in told.text and 'value="wrong"' not in told.text
        told = browser.post("/auth/login", data=given | {"password": passwords["u_auditor"]}, follow_redirects=False)
        assert told.status_code == 303 and told.headers["location"] == f"{url}/dags"
        assert re.search("HttpOnly.*SameSite=lax", told.headers["set-cookie"])
        claims = jwt.decode(browser.cookies["_token"], options={"verify_signature": False})
        assert claims["sub"] == "u_auditor" and claims["exp"] - claims["iat"] == SESSION
        assert browser.get("/ui/auth/me").json()["username"] == "u_auditor"
        menu = browser.get("/ui/auth/menus").json()["authorized_menu_items"]
        assert "Dags" in menu and not {"Connections", "Variables", "Config"} & set(menu)
        kept = {"Authorization": f"Bearer {browser.cookies['_token']}"}
        assert "登录名" in browser.get("/api/v2/auth/logout").text and "_token" not in browser.cookies
        assert httpx.get(f"{url}/api/v2/dags", headers=kept, timeout=60).status_code == 403


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(url: str, passwords, target: str):
    given = {"username": "u_auditor", "password": passwords["u_auditor"], "next": target}
    told = httpx.post(f"{url}/auth/login", data=given, timeout=60)
    assert told.status_code == 303 and told.headers["location"] == "/"


def test_who_is_locked_moved_or_dropped_is_out_within_seconds(url: str, passwords, settings: Settings):
    """Whatever token he holds; and back when he is let back in, but for who is dropped."""
    names = ("u_locked", "u_moved", "u_gone")
    held = {name: bearer(url, name, passwords) for name in names}

    def seen() -> list[int]:
        return [httpx.get(f"{url}/api/v2/dags", headers=held[name], timeout=60).status_code for name in names]

    assert seen() == [200, 200, 200]
    with psycopg.connect(embedded.start(settings).url("warehouse", roles.OWNER), autocommit=True) as owner:
        owner.execute("alter role u_locked nologin")
        owner.execute("revoke minhu_engineer from u_moved")
        owner.execute("grant minhu_bi to u_moved")
        owner.execute("drop role u_gone")
    assert sign_in(url, "u_locked", passwords["u_locked"]).status_code == 401
    assert sign_in(url, "u_moved", passwords["u_moved"]).status_code == 403
    assert sign_in(url, "u_gone", passwords["u_gone"]).status_code == 401
    time.sleep(FRESH)
    assert seen() == [401, 401, 401]


def test_a_token_that_another_key_signed_or_that_has_run_out_is_nobodys(url: str, settings: Settings):
    now = int(time.time())
    claims = {"sub": "minhu", "aud": "apache-airflow", "iat": now, "nbf": now, "exp": now + 60}
    key = settings.secret("airflow-jwt")
    for given, secret, status in (
        (claims, key, 200),
        (claims, "0" * 64, 403),
        (claims | {"exp": now - 60}, key, 401),
        (claims | {"sub": "u_nobody"}, key, 401),
        ({name: value for name, value in claims.items() if name != "exp"}, key, 403),
    ):
        token = jwt.encode(given, secret, "HS512")
        told = httpx.get(f"{url}/api/v2/dags", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        assert told.status_code == status, given
