"""The containers run what `minhu up` runs, from pinned images, with options that Airflow knows."""

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import psycopg
import yaml

from minhu.database import embedded, roles
from minhu.services import airflow_home, control
from minhu.services.airflow_home import AirflowHome, WorkerHome
from minhu.settings import PROJECT_ROOT, Settings
from tests.database.test_embedded import installing

DOCKER = PROJECT_ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yml").read_text(encoding="utf-8"))
PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?")  # no host name: the operator's registry decides


def known_options() -> set[tuple[str, str]]:
    airflow = Path(importlib.util.find_spec("airflow").origin).parent
    sections = yaml.safe_load((airflow / "config_templates" / "config.yml").read_text(encoding="utf-8"))
    of_celery = runpy.run_path(str(airflow / "providers" / "celery" / "get_provider_info.py"))
    sections |= of_celery["get_provider_info"]()["config"]
    told = {(section, option) for section, of in sections.items() for option in of["options"]}
    scheduler = (airflow / "jobs" / "scheduler_job_runner.py").read_text(encoding="utf-8")
    untold = re.findall(r'section="scheduler",\s+key="(num_stuck_in_queued_retries)"', scheduler)
    return told | {("scheduler", option) for option in untold}


def test_the_four_processes_have_a_container_each_and_the_same_command():
    commands = {name: container["command"] for name, container in COMPOSE["services"].items() if "command" in container}
    assert {name: commands[name] for name in control.COMMANDS} == {
        name: ["airflow", *command] for name, command in control.COMMANDS.items()
    }
    assert COMPOSE["services"].keys() == {"postgres", "prepare", control.KEEPER, *control.COMMANDS}
    assert commands[control.KEEPER] == ["python", *control.LAUNCH[control.KEEPER]]


def test_each_container_has_the_passwords_and_the_folders_that_it_needs():
    """A task that is somebody's owns nothing; what only shows pages reaches neither the warehouse nor its secrets."""
    passwords, mounts = {}, {}
    for name, container in COMPOSE["services"].items():
        told = yaml.safe_dump(container.get("environment", {}))
        passwords[name] = {found.lower() for found in re.findall(r"\$\{MINHU_(\w+)_PASSWORD", told)}
        mounts[name] = {re.sub(r"^\$\{.*\}", "drop", volume).split(":")[0] for volume in container.get("volumes", [])}
    everything = {"postgres", "owner", "work", "airflow", "engineer"}
    assert passwords == {
        "postgres": {"postgres"},
        "prepare": everything,
        "keeper": {"work"},
        "scheduler": {"work"},
        "api-server": set(),
        "dag-processor": set(),
        "triggerer": set(),
    }
    shown = {"airflow", "logs"}
    assert mounts == {
        "postgres": {"database"},
        "prepare": {"home", *shown},
        "keeper": set(),
        "scheduler": {"home", "drop", *shown},
        "api-server": shown,
        "dag-processor": shown,
        "triggerer": shown,
    }


def test_prepare_makes_logins_with_the_passwords_given_and_tells_airflow_its_own():
    with installing() as install:
        city = install("prepared")
        server = embedded.start(city)
        given = {login: f"Of{login.capitalize()}1" for login in ("OWNER", "WORK", "AIRFLOW", "ENGINEER")}
        own = {f"MINHU_{login}_PASSWORD": password for login, password in given.items()} | {
            "MINHU_POSTGRES_PASSWORD": city.secret("postgres-password"),
            "MINHU_SERVER": f"{server.host}:{server.port}",
            "MINHU_HOME": str(city.home / "volume"),
        }
        for _ in range(2):  # an update runs it again
            command = [sys.executable, DOCKER / "prepare.py"]
            subprocess.run(command, cwd=PROJECT_ROOT, env=os.environ | own, check=True)
        with psycopg.connect(server.url("warehouse", roles.WORK), password=given["WORK"]) as work:
            assert work.execute("select count(*) > 0 from config.entry").fetchone() == (True,)
        told = (city.home / "volume" / "airflow" / "airflow.cfg").read_text()
        assert f"://minhu_airflow:{given['AIRFLOW']}@" in told
        assert [login for login, password in given.items() if password in told] == ["AIRFLOW"]


def test_every_image_is_pinned_and_names_no_registry():
    built = re.findall(r"^FROM (\S+)", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    used = [container["image"] for container in COMPOSE["services"].values()]
    for image in [*built, *used]:
        assert PINNED.fullmatch(image), image


def test_only_the_host_itself_reaches_the_published_port():
    ports = [port for container in COMPOSE["services"].values() for port in container.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_every_option_we_set_is_one_that_airflow_knows(tmp_path: Path):
    """A misspelt option would be ignored without a word."""
    server = "postgresql://somebody:secret@127.0.0.1/warehouse?sslmode=require"
    settings = Settings(
        home=tmp_path, config=tmp_path, drop=tmp_path, database_url=server, broker_url="redis://127.0.0.1"
    )
    homes = AirflowHome(settings), WorkerHome(settings)
    ours = {(section, option) for home in homes for section, of in home._options().items() for option in of}
    for name in COMPOSE["x-airflow"]["environment"]:
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__")
            ours.add((section, option))
    assert ours - known_options() == set()


def test_both_drivers_of_an_external_server_are_told_to_encrypt(tmp_path: Path):
    server = "postgresql://somebody:p%40ss@db.example/warehouse?sslmode=require"
    urls = AirflowHome(Settings(home=tmp_path, config=tmp_path, drop=tmp_path, database_url=server))._database()
    assert urls == {
        "sql_alchemy_conn": "postgresql+psycopg2://somebody:p%40ss@db.example/warehouse_airflow?sslmode=require",
        "sql_alchemy_conn_async": "postgresql+asyncpg://somebody:p%40ss@db.example/warehouse_airflow?ssl=require",
    }


def test_our_own_dags_are_the_default():
    assert sorted(path.stem for path in airflow_home.DAGS.glob("*.py")) == [
        "arrivals",
        "assessment",
        "feeds",
        "review",
        "warehouse",
    ]
