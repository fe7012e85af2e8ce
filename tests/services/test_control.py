"""The local services, for real: a PostgreSQL and an Airflow of their own, started, used, killed, mended and stopped."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import psycopg
import pytest
from click.testing import CliRunner

from bench.running import back, daemons_of, pids
from minhu import database, services
from minhu.cli import minhu
from minhu.database import embedded, roles
from minhu.database.temporary import SMALL
from minhu.errors import Refused, Retryable
from minhu.services import control, workers
from minhu.services.airflow_api import Airflow
from minhu.services.airflow_home import AirflowHome
from minhu.settings import PROJECT_ROOT, Settings

DAGS = '''
"""An airflow DAG that greets, one that refuses, one that is in trouble at first."""

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task

from minhu.errors import Refused, Retryable

POLICY = {
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),
}


@dag(schedule=None, params={"business_date": Param(None, type=["null", "string"], format="date")}, default_args=POLICY)
def greets():
    @task
    def greet(*, params=None, dag_run=None):
        import os

        return [params["business_date"], os.environ["MINHU_HOME"], os.environ["MINHU_CONFIG"]]

    greet()


@dag(schedule=None, default_args=POLICY)
def refuses():
    @task
    def refuse():
        raise Refused("the file has 3 columns, 5 are declared")

    refuse()


@dag(schedule=None, default_args=POLICY)
def waits():
    @task
    def wait(*, ti=None):
        if ti.try_number == 1:
            raise Retryable("the server is away")

    wait()


@dag(schedule=None, default_args=POLICY)
def awaits():
    @task
    def look(*, ti=None):
        import os
        from datetime import UTC, datetime
        from pathlib import Path

        from airflow.sdk.exceptions import AirflowRescheduleException

        if not Path(os.environ["MINHU_HOME"], "came").exists():
            # asked for again while the asking process still ends, Airflow takes that for a failure
            raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=8))
        return ti.try_number

    look()


@dag(schedule=None, default_args=POLICY)
def lingers():
    @task
    def linger(*, ti=None):
        import os
        import time
        from pathlib import Path

        while ti.try_number == 1:
            Path(os.environ["MINHU_HOME"], "lingers").touch()
            time.sleep(0.2)

    linger()


greets(), refuses(), waits(), awaits(), lingers()
'''


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    own = home / "services"
    return Settings(home=own, config=PROJECT_ROOT / "config", drop=own / "drop", database_url=None, tune=SMALL)


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "greetings.py").write_text(DAGS)
    return folder


@pytest.fixture(scope="module")
def running(settings: Settings, dags: Path) -> Iterator[str]:
    yield services.up(settings, dags=dags)
    services.down(settings)


FORKED = f"""
import {workers.PRELOADED}
import os, signal
child = os.fork()
if not child:
    import polars
    signal.alarm(30)
    os._exit(polars.read_csv(b"a\\n1\\n").height)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_of_the_scheduler_reads_files():
    """Threads do not live through a fork: what is imported before it must not have polars reckon."""
    told = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert told.stdout.strip() == "1", told.stderr


def test_up_gives_an_address_on_this_machine_alone(running: str, settings: Settings):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", running)
    assert {dag["dag_id"] for dag in services.airflow(settings).dags()} == {
        "awaits",
        "greets",
        "lingers",
        "refuses",
        "waits",
    }
    with pytest.raises(Refused, match="403"):
        Airflow(running, "guessed" * 10).dags()


@pytest.mark.parametrize("place", ["docs", "redoc", "openapi.json", "execution/docs", "auth/openapi.json"])
def test_what_airflow_tells_developers_it_tells_whoever_has_logged_in(running: str, settings: Settings, place: str):
    for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "_token=x"}):
        assert httpx.get(f"{running}/{place}", headers=headers, timeout=60).status_code == 401
    known = {"Authorization": f"Bearer {services.airflow(settings)._token()}"}
    assert httpx.get(f"{running}/{place}", headers=known, timeout=60).status_code != 401


def test_runs_go_to_the_end_and_a_failed_one_names_its_log(running: str, settings: Settings):
    said = []
    runs = [
        ("greets", services.trigger(settings, "greets", {"business_date": "2026-10-31"})),
        ("refuses", services.trigger(settings, "refuses")),
        ("waits", services.trigger(settings, "waits")),
    ]
    assert services.wait(settings, runs, 60, said.append) == {
        "greets": "success",
        "refuses": "failed",
        "waits": "success",
    }
    client = services.airflow(settings)
    value = client.get(f"dags/greets/dagRuns/{runs[0][1]}/taskInstances/greet/xcomEntries/return_value")["value"]
    assert value == ["2026-10-31", str(settings.home), str(settings.config)]
    tries = {dag: client.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"][0] for dag, run in runs}
    assert tries["refuses"]["try_number"] == 1  # trying again would not help
    assert tries["waits"]["try_number"] == 2
    told = next(line for line in said if "refuses" in line)
    log = Path(told.rpartition("：")[2])
    assert log.is_relative_to(settings.logs)
    assert "the file has 3 columns" in log.read_text()


def test_what_cannot_be_triggered_is_refused_in_one_line(running: str, settings: Settings):
    with pytest.raises(Refused, match="'nobody' not found"):
        services.trigger(settings, "nobody")
    with pytest.raises(Refused, match="business_date"):
        services.trigger(settings, "greets", {"business_date": "yesterday"})


def test_runs_that_failed_and_tasks_that_wait_are_found(running: str, settings: Settings):
    client = services.airflow(settings)
    run = services.trigger(settings, "refuses")
    assert services.wait(settings, [("refuses", run)], 60) == {"refuses": "failed"}
    found = client.failed(["refuses", "greets", "nobody"])
    assert found.keys() == {"refuses"} and found["refuses"][0] == run
    assert client.queued(datetime.now(UTC) - timedelta(minutes=15)) == []


def test_waiting_ends_with_what_is_still_going_on(running: str, settings: Settings):
    run = services.trigger(settings, "waits")
    with pytest.raises(Retryable, match=r"not finished after 0 s: waits \((queued|running)\)"):
        services.wait(settings, [("waits", run)], 0)
    assert services.wait(settings, [("waits", run)], 60) == {"waits": "success"}
    assert services.wait(settings, [], 0) == {}


def test_a_task_that_waits_for_a_file_holds_no_slot_and_spends_no_retry(running: str, settings: Settings):
    """As loads of feeds wait for what is late."""
    run, client = services.trigger(settings, "awaits"), services.airflow(settings)
    place = f"dags/awaits/dagRuns/{quote(run)}/taskInstances/look"
    deadline = time.monotonic() + 60
    while client.get(place)["state"] != "up_for_reschedule":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (settings.home / "came").touch()
    assert services.wait(settings, [("awaits", run)], 60) == {"awaits": "success"}
    told = client.get(place)
    assert (told["try_number"], told["state"]) == (1, "success")


def test_pools_are_made_and_changed_and_others_stay(running: str, settings: Settings):
    client = services.airflow(settings)
    for slots in (2, 3, 3):
        client.keep_pools({"water group": slots})
        found = {pool["name"]: pool["slots"] for pool in client.get("pools")["pools"]}
        assert found["water group"] == slots and found["default_pool"] > 3


def test_up_again_leaves_alone_what_runs(running: str, settings: Settings, dags: Path):
    before = pids(settings)
    said = []
    assert services.up(settings, said.append, dags=dags) == running
    assert pids(settings) == before
    assert not [line for line in said if "启动 Airflow" in line]


def test_status_tells_each_service(running: str, settings: Settings):
    told = services.status(settings)
    assert told["airflow"]["address"] == running
    assert told["postgres"]["state"] == "running"
    for name in control.COMMANDS:
        assert (told[name]["state"], told[name]["health"]) == ("running", "healthy")
        assert Path(told[name]["log"]).is_file()


def test_nothing_listens_beyond_this_machine_and_nothing_calls_out(running: str, settings: Settings):
    for process in members(settings):
        for connection in process.net_connections("inet"):
            assert connection.laddr.ip == "127.0.0.1", process
            assert not connection.raddr or connection.raddr.ip == "127.0.0.1", process


def test_secrets_are_readable_by_their_owner_alone(running: str, settings: Settings):
    folder = AirflowHome(settings).folder
    for path in [*(settings.home / "secrets").iterdir(), folder / "airflow.cfg"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    logs = "".join(path.read_text(errors="replace") for path in settings.logs.rglob("*.log"))
    assert AirflowHome(settings).signs_with not in logs
    for path in (settings.home, settings.logs, settings.drop, folder, *settings.logs.rglob("*")):
        others = 0o066 if path == settings.home else 0o077  # the server's user passes
        assert stat.S_IMODE(path.stat().st_mode) & others == 0, path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process in /proc")
def test_no_process_and_no_file_of_airflow_holds_the_password_of_who_owns_the_warehouse(
    running: str, settings: Settings
):
    home = AirflowHome(settings)
    held = {login: settings.secret(f"{login}-password") for login in (*roles.LOGINS, roles.SUPERUSER)}
    processes = [process for daemon in control._all(home) for process in daemon.processes()]
    assert len(processes) > len(control.COMMANDS)  # forks too
    assert any("MINHU_LOGIN=minhu_work" in Path(f"/proc/{one.pid}/environ").read_text() for one in processes)
    for process in processes:
        told = Path(f"/proc/{process.pid}/environ").read_text() + " ".join(process.cmdline())
        assert [login for login, password in held.items() if password in told] == []
    files = [path for path in home.folder.rglob("*") if path.is_file() and path.suffix != ".new"]
    for path in (*files, *home.logs.rglob("*.log")):
        told = path.read_text(errors="replace")
        expected = [roles.AIRFLOW] if path.name == "airflow.cfg" else []
        assert [login for login, password in held.items() if password in told] == expected, path


def test_what_is_killed_is_started_again_one_by_one(running: str, settings: Settings, capsys):
    for name in (*control.COMMANDS, control.KEEPER, control.SUPERVISOR):
        before = pids(settings)
        old = [process for daemon in daemons_of(settings) if daemon.name == name for process in daemon.processes()]
        os.kill(before[name], signal.SIGKILL)
        took = back(settings, before, name)
        with capsys.disabled():
            print(f" {name} {took:.1f} s", end="")
        gone = [process for process in old if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        assert gone == [], "its workers would wait for it for ever"
        assert {other for other, pid in pids(settings).items() if pid != before[other]} == {name}
    run = services.trigger(settings, "greets")
    assert services.wait(settings, [("greets", run)], 90) == {"greets": "success"}


def test_what_a_killed_scheduler_ran_begins_anew_with_the_next_one(running: str, settings: Settings):
    run = services.trigger(settings, "lingers")
    while not (settings.home / "lingers").exists():
        time.sleep(0.2)
    before = pids(settings)
    os.kill(before["scheduler"], signal.SIGKILL)
    back(settings, before, "scheduler")
    [(job,)] = jobs(settings, "select count(*) from job where job_type = 'SchedulerJob' and state = 'running'")
    assert job == 1, "the dead one is known to be dead"
    assert services.wait(settings, [("lingers", run)], 150) == {"lingers": "success"}


def test_a_scheduler_that_was_busy_for_a_minute_is_not_taken_for_dead(running: str, settings: Settings):
    """By itself too: it would begin anew what it runs."""
    jobs(settings, "update job set latest_heartbeat = now() - interval '1 minute' where state = 'running' returning id")
    assert services.airflow(settings).health()["scheduler"][0] == "healthy"


def jobs(settings: Settings, query: str) -> list[tuple]:
    with psycopg.connect(database.url(settings, "airflow")) as connection:
        return connection.execute(query).fetchall()


def test_when_all_that_keeps_it_alive_is_killed_the_next_command_says_so_and_mends_it(running: str, settings: Settings):
    before = pids(settings)
    names = (control.SUPERVISOR, control.KEEPER, "triggerer")
    os.kill(before[control.SUPERVISOR], signal.SIGSTOP)  # neither sees the other die
    os.kill(before[control.KEEPER], signal.SIGSTOP)
    for name in names:
        os.kill(before[name], signal.SIGKILL)
    while any(daemon.is_well for daemon in daemons_of(settings) if daemon.name in names):
        time.sleep(0.02)
    env = {"MINHU_HOME": str(settings.home), "MINHU_CONFIG": str(settings.config), "MINHU_DROP": str(settings.drop)}
    person = env | {"MINHU_DATABASE_URL": "postgresql://shen@127.0.0.1/warehouse"}
    said = CliRunner().invoke(minhu, ["feeds", "list"], env=person)
    assert "killed" not in said.stderr, "nothing is started as somebody else"
    said = CliRunner().invoke(minhu, ["feeds", "list"], env=env)
    assert "had been killed; they are being started again" in said.stderr and said.exit_code == 0, said.output
    back(settings, before, *names)
    said = CliRunner().invoke(minhu, ["feeds", "list"], env=env)
    assert "killed" not in said.stderr


@pytest.mark.long
def test_a_killed_database_comes_back_with_what_it_took_along(running: str, settings: Settings):
    before = embedded.status(settings).pid
    os.kill(before, signal.SIGKILL)
    began = time.monotonic()
    while embedded.status(settings).pid in (None, before):
        assert time.monotonic() < began + 60
        time.sleep(0.2)
    run = services.trigger(settings, "greets")
    assert services.wait(settings, [("greets", run)], 120) == {"greets": "success"}


def test_up_leaves_what_keeps_it_alive_alone_and_brings_it_back(running: str, settings: Settings, dags: Path):
    before = pids(settings)
    assert services.up(settings, dags=dags) == running
    assert pids(settings) == before
    assert services.mend(settings) == [] and services.revive(settings) is False


def test_down_leaves_no_process_and_again_does_nothing(running: str, settings: Settings):
    left = members(settings)
    assert services.down(settings) == [*list(control.COMMANDS)[1:], "api-server", control.KEEPER, "PostgreSQL"]
    assert services.mend(settings) == [], "what was taken down stays down"
    assert [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert {services.status(settings)[name]["state"] for name in control.COMMANDS} == {"stopped"}
    assert services.status(settings)["postgres"]["state"] == "stopped"
    assert services.down(settings) == []
    with pytest.raises(Retryable, match="does not answer"):
        services.trigger(settings, "greets")


def test_before_the_first_up_there_is_nothing_to_stop_or_to_trigger(tmp_path: Path):
    settings = Settings(home=tmp_path / "new", config=tmp_path, drop=tmp_path, database_url=None)
    assert services.down(settings) == []
    assert services.status(settings)["airflow"] == {"state": "never started"}
    with pytest.raises(Refused, match="minhu up"):
        services.trigger(settings, "greets")
    assert not (tmp_path / "new" / "airflow").exists()


def test_two_homes_choose_different_ports_and_keep_them(tmp_path: Path):
    homes = [
        AirflowHome(Settings(home=tmp_path / name, config=tmp_path, drop=tmp_path, database_url=None)) for name in "ab"
    ]
    for home in homes:
        home.folder.mkdir(parents=True)
    first = [home.choose_port() for home in homes]
    assert len(set(first)) == 2
    assert [home.choose_port() for home in homes] == first


def members(settings: Settings) -> list[psutil.Process]:
    return [process for daemon in daemons_of(settings) for process in daemon.processes()]


@pytest.mark.long
def test_as_a_service_all_comes_up_at_once_and_goes_down_when_asked(home: Path):
    """On a home that knew nothing: what `minhu up` does, pages and all; one process to ask, none left behind."""
    own = home / "service"
    settings = Settings(home=own, config=PROJECT_ROOT / "config", drop=own / "drop", database_url=None)
    world = {name: value for name, value in os.environ.items() if not name.startswith("MINHU_")}
    world |= {"MINHU_HOME": str(own), "MINHU_CALLER_KEY": "service"}
    program = [sys.executable, "-m", "minhu", "up", "--stay"]
    service = subprocess.Popen(program, env=world, stdout=subprocess.PIPE, text=True)
    try:
        address = next(line.split()[-1] for line in service.stdout if line.startswith("门户 portal"))
        assert httpx.get(f"{address}/login", timeout=60).status_code == 200
        next(line for line in service.stdout if "minhu logins add" in line)
        portal = next(one for one in members(settings) if "minhu.portal" in " ".join(one.cmdline()))
        portal.kill()
        deadline = time.monotonic() + 60
        while not _answers(f"{address}/login"):
            assert time.monotonic() < deadline, "nobody keeps it alive"
            time.sleep(0.5)
    finally:
        service.terminate()
        service.communicate(timeout=180)
    assert service.returncode == 0 and members(settings) == []


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
