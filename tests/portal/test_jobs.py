"""Jobs: asked for by a person, done by a runner, decided by the person: one act or none, whatever ends meanwhile."""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from minhu import database
from minhu.errors import MinhuError, Refused
from minhu.portal import jobs, runner
from minhu.publish import list_closings
from minhu.settings import Asker, Job, Settings
from minhu.warehouse.build import build
from tests.portal.conftest import MONTH, Browser, House
from tests.portal.test_acts import fields
from tests.portal.test_pages import read, words
from tests.publish import city as world
from tests.publish.city import UNWITNESSED

REVISE = {"period": MONTH, "scheme": "linan", "why": "补报"}


@pytest.fixture(scope="module", autouse=True)
def another_evaluator(house: House):
    """Who is left to approve what house_shen closes."""
    world.login(house.city, "house_zhou", "evaluator")


@pytest.fixture
def asks(house: House):
    """``asks("evaluator")``: settings by which that person asks, and his session."""

    def made(group: str):
        session = house.desk.sign_in(*house.credentials(group))
        return house.desk.asks(session, reads=False), session

    return made


def ask(asks, group="evaluator", act="revise", given=REVISE, key=None):
    settings, _ = asks(group)
    return jobs.ask(settings, act, given, key or secrets.token_urlsafe(12))


def state(house, number: int) -> tuple[str, str | None]:
    return world.rows(house.city, "select state, why from portal.job where job_id = %s", number)[0]


def moved(house) -> None:
    """Something new for a revision to hold."""
    world.deliver(house.city, [world.case(100 + len(list_closings(house.city)), "交通局", **world.IN_TIME)])
    build(house.city)


def test_a_revision_is_closed_in_the_name_of_who_asked(house, asks):
    moved(house)
    number = ask(asks)
    assert runner.run_one(house.desk) and not runner.run_one(house.desk)
    assert state(house, number) == ("done", None)
    newest = list_closings(house.city)[-1]
    assert (newest.closed_by, newest.revision) == ("house_shen", 2)
    assert "house_shen" not in newest.may_approve


def test_the_same_key_asks_once(house, asks):
    settings, _ = asks("auditor")
    given = {"period": MONTH, "scheme": "linan"}
    assert jobs.ask(settings, "verify", given, "key-12345") == jobs.ask(settings, "verify", given, "key-12345")
    with pytest.raises(Refused, match="another job"):
        jobs.ask(settings, "verify", given | {"revision": 1}, "key-12345")
    assert runner.run_one(house.desk)
    told = jobs.own(settings)[0]
    assert (told.state, told.result["is_ok"]) == ("done", True)


@pytest.mark.parametrize(
    ("group", "act"),
    [
        ("unit", "close"),
        ("unit", "publish"),
        ("auditor", "close"),
        ("auditor", "revise"),
        ("bi", "export"),
        ("unit", "verify"),
        ("engineer", "publish"),
    ],
)
def test_nobody_asks_for_what_his_group_may_not(asks, group, act):
    given = {"close": {"period": MONTH, "scheme": "linan"}, "revise": REVISE}.get(
        act, {"period": MONTH, "scheme": "linan"} | ({"form": "xlsx"} if act == "export" else {})
    )
    with pytest.raises(MinhuError):
        ask(asks, group, act, given)


@pytest.mark.parametrize(
    ("act", "given"),
    [
        ("drop", {}),
        ("close", {"period": "2026-13; drop", "scheme": "linan"}),
        ("close", {"period": MONTH, "scheme": "linan", "settings": "x"}),
        ("export", {"period": MONTH, "scheme": "linan", "form": "exe"}),
        ("export", {"period": MONTH, "scheme": "../etc", "form": "xlsx"}),
        ("revise", {"period": MONTH, "scheme": "linan"}),
        ("simulate", {"period": MONTH, "scheme": "linan", "draft": "x" * 200_001}),
    ],
)
def test_a_job_has_the_shape_of_its_act_and_no_other(asks, act, given):
    with pytest.raises(Refused):
        ask(asks, "evaluator", act, given)


def test_the_database_takes_no_act_but_those_of_its_list(asks):
    settings, _ = asks("evaluator")
    with database.connect(settings) as connection, pytest.raises(psycopg.Error):
        connection.execute("select portal.ask_job('select 1', '{}', 'key-12345678')")


def give_up(house, number: int) -> None:
    ended = "update portal.job set state = 'refused', finished_at = now() where job_id = %s returning 1"
    world.rows(house.city, ended, number)


def claim(house) -> Job:
    with database.connect(house.city) as owner:
        token = secrets.token_urlsafe(24)
        return Job(owner.execute("select job_id from portal.claim_job(%s)", [token]).fetchone()[0], token)


def decide(house, job: Job) -> None:
    """The last transaction of a closing, without what is computed before it."""
    with database.deciding(replace(house.city, job=job)) as decision:
        decision.result["actor"] = database.one(decision.connection, "select assess.acting()")[0]


def test_somebody_elses_claim_decides_nothing(house, asks):
    number = ask(asks)
    job = claim(house)
    with pytest.raises(Refused, match="not this runner's"):
        decide(house, replace(job, claim="x" * 32))
    assert state(house, number)[0] == "running"
    decide(house, job)
    assert world.rows(house.city, "select result ->> 'actor' from portal.job where job_id = %s", number) == [
        ("house_shen",)
    ]


@pytest.mark.parametrize("what", ["session", "group", "login", "key"])
def test_who_lost_his_right_meanwhile_decides_nothing(house, asks, what):
    settings, session = asks("evaluator")
    if what == "key":
        number_of_key, token = house.desk.make_key(session, "x", True, timedelta(days=1))
        settings = replace(settings, asker=Asker(token.partition(".")[2], reads=False))
    number = jobs.ask(settings, "revise", REVISE, secrets.token_urlsafe(12))
    job = claim(house)
    with database.connect(house.city, autocommit=True) as owner:
        match what:
            case "session":
                house.desk.sign_out(session)
            case "key":
                owner.execute("update portal.api_key set revoked_at = now() where key_id = %s", [number_of_key])
            case "group":
                owner.execute("revoke minhu_evaluator from house_shen")
            case "login":
                owner.execute("alter role house_shen rename to house_gone")
        try:
            with pytest.raises(Refused, match=r"ended|revoked|may not|gone"):
                decide(house, job)
        finally:
            with suppress(psycopg.Error):
                owner.execute("alter role house_gone rename to house_shen")
            owner.execute("grant minhu_evaluator to house_shen")
            owner.execute(
                "update portal.job set state = 'refused', finished_at = now() where job_id = %s and state = 'running'",
                [number],
            )


def test_parameters_that_were_changed_after_asking_are_seen_by_nobody(house, asks):
    """Nobody but the owner writes the row: neither the portal's logins nor the runner's."""
    number = ask(asks)
    settings, _ = asks("evaluator")
    with database.connect(settings) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update portal.job set parameters = '{}'")
    with database.connect(house.city) as owner:
        owner.execute("set role minhu_work")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("update portal.job set parameters = '{}' where job_id = %s", [number])
    give_up(house, number)


def test_what_fails_is_told_and_decides_nothing(house, asks):
    before = len(list_closings(house.city))
    number = ask(asks, act="close", given={"period": MONTH, "scheme": "linan"})
    assert runner.run_one(house.desk)
    told, why = state(house, number)
    assert told == "refused" and "published already" in why
    assert len(list_closings(house.city)) == before


def test_a_runner_that_was_killed_before_the_end_is_followed_by_another(house, asks):
    number = ask(asks, "auditor", "verify", {"period": MONTH, "scheme": "linan"})
    dead = claim(house)
    assert not runner.run_one(house.desk), "it is under way"
    world.rows(
        house.city, "update portal.job set heard_at = now() - interval '2 min' where job_id = %s returning 1", number
    )
    assert runner.run_one(house.desk)
    assert state(house, number)[0] == "done"
    with pytest.raises(Refused):
        decide(house, dead)


@pytest.mark.parametrize("moment", [pytest.param("before", marks=pytest.mark.long), "after"])
def test_killed_around_the_last_transaction_there_is_one_act_or_none(house, asks, moment, tmp_path):
    """A runner in a process of its own is killed right before it commits its decision, or right after."""
    moved(house)
    number, before = ask(asks), len(list_closings(house.city))
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal\n"
        "from contextlib import contextmanager\n"
        "from minhu import database\n"
        "from minhu.portal import runner\n"
        "from minhu.portal.desk import Desk\n"
        "from tests.portal.test_jobs import settings_of\n"
        "import minhu.publish.close as close\n"
        "real = database.deciding\n"
        "@contextmanager\n"
        "def deciding(settings):\n"
        "    with real(settings) as decision:\n"
        "        yield decision\n"
        f"        {'os.kill(os.getpid(), signal.SIGKILL)' if moment == 'before' else 'pass'}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "database.deciding = deciding\n"
        "runner.run_one(Desk(settings_of(), prefix='house_portal_'))\n",
        encoding="utf-8",
    )
    at = house.desk.settings
    env = os.environ | {"T_HOME": str(at.home), "T_CONFIG": str(at.config), "T_URL": str(at.database_url)}
    done = subprocess.run([sys.executable, str(script)], env=env | {"PYTHONPATH": os.getcwd()}, check=False)
    assert done.returncode == -signal.SIGKILL
    closings = len(list_closings(house.city)) - before
    assert (closings, state(house, number)[0]) == ((0, "running") if moment == "before" else (1, "done"))
    world.rows(
        house.city, "update portal.job set heard_at = now() - interval '2 min' where job_id = %s returning 1", number
    )
    runner.run_one(house.desk)
    assert (len(list_closings(house.city)) - before, state(house, number)[0]) == (1, "done")


def settings_of():
    home = Path(os.environ["T_HOME"])
    return Settings(home, Path(os.environ["T_CONFIG"]), home / "drop", os.environ["T_URL"])


def test_an_export_of_the_whole_is_read_as_its_asker_and_his_alone(house, asks):
    evaluator, other = Browser(house.desk), Browser(house.desk)
    evaluator.sign_in(*house.credentials("evaluator"))
    other.sign_in(*house.credentials("auditor"))
    form = read(evaluator.get("/jobs")).xpath("//form[contains(@action, '/jobs/ask/export')]")[0]
    answer = evaluator.post(form.action, fields(form) | {"period": MONTH, "scheme": "linan", "form": "xlsx"})
    address = answer.headers["location"]
    assert "等待" in words(read(evaluator.get(address)))
    assert runner.run_one(house.desk)
    page = read(evaluator.get(address))
    assert evaluator.get(page.xpath("//a[@class='file']/@href")[0]).content.startswith(b"PK")
    for path in (address, f"{address}/file", f"{address}/events"):
        assert other.get(path).status_code == 400, "it is not his"
    told = "select accessed_by from audit.access_log where subject = 'export' order by entry_id desc limit 1"
    assert world.rows(house.city, told) == [("house_shen",)]


def test_a_browser_is_told_how_far_it_is(house, asks):
    browser = Browser(house.desk)
    browser.sign_in(*house.credentials("auditor"))
    number = ask(asks, "auditor", "verify", {"period": MONTH, "scheme": "linan"})
    runner.run_one(house.desk)
    answer = browser.get(f"/jobs/{number}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"is_over": true' in answer.text and answer.text.startswith("data: ")


def test_a_draft_is_tried_and_nothing_is_kept(house, asks):
    law = (house.city.config / "schemes" / "linan.yml").read_text(encoding="utf-8")
    draft = law.replace("target: 95", "target: 60", 1)
    number = ask(asks, act="simulate", given={"period": MONTH, "scheme": "linan", "draft": draft})
    before = world.rows(house.city, "select count(*), sum(score_100) from mart.fct_unit_score")
    assert runner.run_one(house.desk)
    told, why = state(house, number)
    assert (told, why) == ("done", None)
    assert world.rows(house.city, "select count(*), sum(score_100) from mart.fct_unit_score") == before
    browser = Browser(house.desk)
    browser.sign_in(*house.credentials("evaluator"))
    assert browser.get(f"/jobs/{number}").status_code == 200


def test_closing_approving_and_publishing_are_three_peoples_acts_on_pages(house, asks):
    """Asked for by one, approved by another on a page, published by a job: recorded as each did."""
    moved(house)
    ask(asks)
    assert runner.run_one(house.desk)
    closing = list_closings(house.city)[-1]
    world.judge(world.login(house.city, "house_zhou", "evaluator"), closing)
    number = ask(asks, act="publish", given={"period": MONTH, "scheme": "linan", "why": UNWITNESSED})
    assert runner.run_one(house.desk)
    assert state(house, number) == ("done", None)
    told = "select closed_by, approved_by, published_by from publish.release order by release_id desc limit 1"
    assert world.rows(house.city, told) == [("house_shen", "house_zhou", "house_shen")]


@pytest.mark.parametrize(("looks", "is_told"), [(0.05, False), (60.0, True)], ids=["it looks", "it is told"])
def test_a_process_that_serves_starts_a_runner_for_what_waits(house, asks, monkeypatch, looks, is_told):
    started = []
    monkeypatch.setattr(runner, "LOOKS", looks)
    monkeypatch.setattr(runner, "Popen", lambda command: started.append(command) or SimpleNamespace(poll=lambda: None))
    over = threading.Event()
    thread = threading.Thread(target=runner.keep_running, args=[house.city, over])
    thread.start()
    time.sleep(0.5)
    assert started == [], "nothing waits"
    with database.connect(house.city, autocommit=True) as owner:
        owner.execute(f"alter table portal.job {'enable' if is_told else 'disable'} trigger runners_are_told")
        number = ask(asks, "auditor", "verify", {"period": MONTH, "scheme": "linan"})
        deadline = time.monotonic() + 10
        while not started and time.monotonic() < deadline:
            time.sleep(0.05)
        over.set()
        owner.execute("alter table portal.job enable trigger runners_are_told")
        owner.execute("notify minhu_jobs")
    thread.join()
    assert started and started[0][1:] == ["-m", "minhu.portal.runner"]
    give_up(house, number)
