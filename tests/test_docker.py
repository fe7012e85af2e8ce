"""The containers run what `minhu up` runs, from pinned images, with options that Airflow knows, and may nothing else.

What stands in the files is read by Docker Compose itself.
"""

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path

import psycopg
import pytest
import yaml

from minhu.database import embedded, roles
from minhu.services import airflow_home, control
from minhu.services.airflow_home import AirflowHome, WorkerHome
from minhu.settings import PROJECT_ROOT, Settings
from tests.database.test_embedded import installing

DOCKER = PROJECT_ROOT / "docker"
ALONE, CELERY = ("compose.yml",), ("compose.yml", "compose.celery.yml")
LOGINS = ("postgres", "owner", "work", "airflow", "engineer", "broker")
GIVEN = {f"MINHU_{login.upper()}_PASSWORD": f"<{login}>" for login in LOGINS} | {
    "MINHU_DROP_FOLDER": "/srv/drop",
    "MINHU_CALLER_KEY": "<caller-key>",
    "MINHU_RECORD_KEY": "<record-key>",
}
"""What an operator exports: each a word that can be found again."""
WORKERS = ("worker-1", "worker-2")
PINNED = re.compile(r"([a-z]+/)?[a-z]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?")  # no host name: the operator's registry decides


@cache
def composed(files: tuple[str, ...], **exported: str) -> dict:
    """The containers of these files by name, as Docker Compose understands them."""
    beside = Path(sys.executable).with_name("docker-compose")
    named = [part for file in files for part in ("--file", DOCKER / file)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MINHU_", "COMPOSE_"))}
    done = subprocess.run(
        [beside, *named, "config", "--format", "json"],
        env=clean | GIVEN | exported,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def services(files: tuple[str, ...], **exported: str) -> dict[str, dict]:
    return composed(files, **exported)["services"]


def mounts(container: dict) -> dict[str, str]:
    """Volumes by what is mounted, with `ro` where nothing can be written."""
    return {Path(one["source"]).name: "ro" if one.get("read_only") else "rw" for one in container.get("volumes", [])}


both = pytest.mark.parametrize("files", [ALONE, CELERY], ids=["alone", "with workers"])


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
    commands = {name: container["command"] for name, container in services(ALONE).items()}
    assert {name: commands[name] for name in control.COMMANDS} == {
        name: ["airflow", *command] for name, command in control.COMMANDS.items()
    }
    assert commands.keys() == {"postgres", "prepare", control.KEEPER, *control.COMMANDS}
    assert commands[control.KEEPER] == ["python", *control.LAUNCH[control.KEEPER]]


def test_workers_come_beside_the_same_processes():
    alone, spread = services(ALONE), services(CELERY)
    assert spread.keys() - alone.keys() == {"broker", *WORKERS}
    assert {name: spread[name]["command"] for name in alone} == {name: alone[name]["command"] for name in alone}
    assert [spread[name]["command"] for name in WORKERS] == [["minhu", "worker"]] * 2
    assert {spread[name]["stop_grace_period"] for name in WORKERS} == {"10m0s"}  # what runs is ended, not cut off


SEEN = {"airflow": "rw", "logs": "rw"}
OF_TASKS = {"logs": "rw", "landing": "rw", "drop": "ro"}


@pytest.mark.parametrize(
    ("files", "runs_tasks"),
    [
        (ALONE, {"scheduler": OF_TASKS | {"home": "rw", "airflow": "rw"}}),
        (
            CELERY,
            {"scheduler": SEEN} | {name: OF_TASKS | {name: "rw"} for name in WORKERS} | {"broker": {"broker": "rw"}},
        ),
    ],
    ids=["alone", "with workers"],
)
def test_each_container_sees_the_folders_that_it_needs(files, runs_tasks):
    """Only tasks see what the hotlines sent and the keys; a worker does not see Airflow's settings."""
    assert {name: mounts(container) for name, container in services(files).items()} == {
        "postgres": {"database": "rw"},
        "prepare": {"home": "rw"} | SEEN | ({"landing": "rw"} if files == CELERY else {}),
        "keeper": {},
        "api-server": SEEN,
        "dag-processor": SEEN,
        "triggerer": SEEN,
    } | runs_tasks


@pytest.mark.parametrize(
    ("files", "more"),
    [
        (ALONE, {"scheduler": {"work"}}),
        (
            CELERY,
            {"prepare": {*LOGINS, "caller-key", "record-key"}, "scheduler": set(), "broker": {"broker"}}
            | {name: {"work", "broker", "caller-key", "record-key"} for name in WORKERS},
        ),
    ],
    ids=["alone", "with workers"],
)
def test_each_container_has_the_passwords_that_it_needs(files, more):
    """A task that is somebody's owns nothing; what shows pages looks, as who may look."""
    told = {name: json.dumps(container) for name, container in services(files).items()}
    assert {name: set(re.findall(r"<([a-z-]+)>", text)) for name, text in told.items()} == {
        "postgres": {"postgres"},
        "prepare": {*LOGINS} - {"broker"},
        "keeper": {"work"},
        "api-server": {"engineer"},
        "dag-processor": set(),
        "triggerer": set(),
    } | more


def test_secrets_of_feeds_and_messages_reach_tasks_and_the_keeper_alone(tmp_path: Path):
    (tmp_path / "secrets.env").write_text("MINHU_SECRET_SFTP=hush\n")
    for files, those in ((ALONE, {"keeper", "scheduler"}), (CELERY, {"keeper", *WORKERS})):
        found = services(files, MINHU_SECRETS=str(tmp_path / "secrets.env"))
        assert {name for name, container in found.items() if "hush" in json.dumps(container)} == those


@both
def test_who_does_not_need_the_database_the_broker_or_the_world_does_not_reach_them(files):
    networks = {name: set(container["networks"]) for name, container in services(files).items()}
    reached = {one: {name for name, of in networks.items() if one in of} for one in set().union(*networks.values())}
    ours = {*networks} - {"postgres", "prepare", "keeper", "broker"}
    tasks = {*WORKERS} if files == CELERY else {"scheduler"}
    assert reached == {
        "database": {*networks} - {"broker"},
        "airflow": ours,
        "published": {"api-server"},
        "outside": {"keeper", *tasks},
    } | ({"broker": {"broker", "scheduler", *WORKERS}} if files == CELERY else {})
    internal = {name for name, of in composed(files)["networks"].items() if of.get("internal")}
    assert internal == {*reached} - {"published", "outside"}


@both
def test_no_container_is_root_or_has_a_capability_or_writes_to_its_root(files):
    for name, container in services(files).items():
        assert container["cap_drop"] == ["ALL"], name
        assert not {"cap_add", "privileged", "devices", "pid", "ipc", "network_mode", "userns_mode"} & container.keys()
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["read_only"] is True, name
        assert container["tmpfs"][0] == "/tmp", name  # noqa: S108
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container["user"]), name


@both
def test_no_container_takes_all_memory_or_processes(files):
    for name, container in services(files).items():
        assert 0 < int(container["mem_limit"]) <= 8 << 30, name
        assert 0 < container["pids_limit"] <= 1000, name


@both
def test_whoever_serves_is_asked_whether_it_is_well(files):
    unasked = {name for name, container in services(files).items() if "healthcheck" not in container}
    assert unasked == {
        "prepare",
        "keeper",
    }  # the one ends, the other serves nobody: its own absence is a fault it tells


def test_our_image_is_its_own_user_by_number():
    """Kubernetes refuses a name where `runAsNonRoot` is asked for."""
    of = services(ALONE)["api-server"]["user"]
    assert f"\nUSER {of}\n" in (DOCKER / "Dockerfile").read_text(encoding="utf-8")


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


@both
def test_every_image_is_pinned_and_names_no_registry(files):
    built = re.findall(
        r"^(?:ARG BASE=|FROM )([^$\s]+)", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(built) == 1
    told = services(files)
    assert told["prepare"]["build"]["args"] == {"BASE": built[0]}
    for image in [*built, *(container["image"] for container in told.values())]:
        assert PINNED.fullmatch(image), image


def test_an_image_can_be_pinned_by_its_digest():
    digest = "@sha256:" + "0" * 64
    names = {
        "POSTGRES": "postgres:18.1-bookworm",
        "BROKER": "valkey/valkey:8.1.4",
        "BASE": "python:3.12.12-slim-bookworm",
    }
    found = services(CELERY, **{f"MINHU_{name}_IMAGE": image + digest for name, image in names.items()})
    used = [found["postgres"]["image"], found["broker"]["image"], found["prepare"]["build"]["args"]["BASE"]]
    assert used == [image + digest for image in names.values()]


@both
def test_only_the_host_itself_reaches_the_published_port(files):
    ports = [port for container in services(files).values() for port in container.get("ports", [])]
    assert [(port["host_ip"], port["published"], port["target"]) for port in ports] == [("127.0.0.1", "8080", 8080)]


def test_every_option_we_set_is_one_that_airflow_knows(tmp_path: Path):
    """A misspelt option would be ignored without a word."""
    server = "postgresql://somebody:secret@127.0.0.1/warehouse?sslmode=require"
    settings = Settings(
        home=tmp_path, config=tmp_path, drop=tmp_path, database_url=server, broker_url="redis://127.0.0.1"
    )
    homes = AirflowHome(settings), WorkerHome(settings)
    ours = {(section, option) for home in homes for section, of in home._options().items() for option in of}
    for name in services(CELERY)["worker-1"]["environment"]:
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
        "scale",
        "warehouse",
    ]
