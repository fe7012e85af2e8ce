"""Who may be a worker: nobody who lacks what all homes share, and each thing that is missing is named."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from minhu import config, doctor, services
from minhu.cli import minhu
from minhu.errors import Refused, Retryable
from minhu.load import key_ring
from minhu.services import celery, units, workers
from minhu.services.airflow_home import EXECUTION_API, LOG_KEY, AirflowHome, WorkerHome
from minhu.watch import keeper
from tests import given
from tests.load.test_homes import hand_out, no_keys_in_the_environment  # noqa: F401 - a fixture for all tests here

NOBODY = "redis://:s3cr3t@127.0.0.1:1/0"


@pytest.fixture
def main(scratch, tmp_path):
    """The home of the services, as `minhu up` leaves it."""
    city = replace(scratch(given.config(tmp_path / "config")), broker_url=NOBODY)
    config.sync(city)
    key_ring.make_first(city)
    city.secret(LOG_KEY)
    return city


@pytest.fixture
def env(main, tmp_path):
    """All that a worker is told, and a home with the keys."""
    (tmp_path / "drop").mkdir()
    home = replace(main, home=tmp_path / "worker", landing_zone=str(main.landing))
    hand_out(main, home, tmp_path)
    return {
        "MINHU_HOME": str(home.home),
        "MINHU_CONFIG": str(home.config),
        "MINHU_DROP": str(tmp_path / "drop"),
        "MINHU_LANDING": home.landing_zone,
        "MINHU_DATABASE_URL": home.database_url,
        "MINHU_BROKER_URL": NOBODY,
        EXECUTION_API: "http://main:8080/execution/",
    }


@pytest.fixture
def work(monkeypatch):
    """Says what becomes of `minhu worker` there, and does not become one."""
    begun = []
    monkeypatch.setattr(workers, "work", begun.append)

    def run(env):
        begun.clear()
        done = CliRunner().invoke(minhu, ["worker"], env=dict.fromkeys(SHARED) | env)
        return "begun" if begun else str(done.exception or done.output)

    return run


SHARED = ("MINHU_DATABASE_URL", "MINHU_BROKER_URL", "MINHU_LANDING", "MINHU_DROP", EXECUTION_API)


def test_who_has_everything_begins(env, work):
    assert work(env) == "begun"


@pytest.mark.parametrize("name", SHARED)
def test_what_all_homes_share_has_no_default(env, work, name):
    del env[name]
    told = work(env)
    assert name in told and not [other for other in SHARED if other != name and other in told], told


def test_all_that_is_missing_is_named_at_once(env, work):
    told = work({name: env[name] for name in ("MINHU_HOME", "MINHU_CONFIG")})
    assert all(name in told for name in SHARED)


def test_a_drop_folder_that_is_not_there_is_told_before_every_delivery_is_missing(env, work):
    assert "cannot be read here" in work(env | {"MINHU_DROP": f"{env['MINHU_DROP']}/no"})


def test_a_home_without_the_keys_does_not_begin_and_makes_none(env, work, tmp_path):
    told = work(env | {"MINHU_HOME": str(tmp_path / "other")})
    assert "writes in this warehouse, and this home does not hold it" in told and "keys import" in told
    assert not list((tmp_path / "other" / "secrets").glob("caller-key*"))


def test_a_home_without_the_key_of_hashed_numbers_does_not_begin(env, work, tmp_path):
    (tmp_path / "worker" / "secrets" / "record-key").unlink()
    assert "numbers are hashed under the key" in work(env)
    assert not (tmp_path / "worker" / "secrets" / "record-key").exists()


def test_no_worker_begins_before_the_services_have_made_the_first_key(scratch, env, work, tmp_path):
    fresh = scratch(given.config(tmp_path / "config"))
    config.sync(fresh)
    assert "no key writes in this warehouse yet" in work(env | {"MINHU_DATABASE_URL": fresh.database_url})


def test_a_landing_zone_of_its_own_is_refused(env, work, tmp_path):
    assert "set MINHU_LANDING to one place for all" in work(env | {"MINHU_LANDING": str(tmp_path / "apart")})


def test_another_configuration_than_the_one_in_force_is_refused(env, work, tmp_path):
    other = given.config(tmp_path / "other", [given.feed("h1"), given.feed("h2")])
    assert "is not the configuration in force (version 1, of testcity)" in work(env | {"MINHU_CONFIG": str(other)})


def test_a_broker_that_is_away_is_told_without_its_password(env):
    done = CliRunner().invoke(minhu, ["worker", "--ping"], env=env)
    assert isinstance(done.exception, Retryable) and "the broker 127.0.0.1:1 cannot be reached" in str(done.exception)
    assert "s3cr3t" not in str(done.exception)


def test_doctor_tells_of_a_broker_that_is_away(main):
    found = {check.name: check for check in doctor.examine(main)}
    assert not found["broker"].is_ok and "127.0.0.1:1 cannot be reached" in found["broker"].found
    assert "broker" not in {check.name for check in doctor.examine(replace(main, broker_url=None))}


def test_that_no_worker_answers_or_the_broker_is_away_is_a_fault_that_is_told(main, monkeypatch):
    """A task that nobody takes is sent again every five minutes, and so is never queued for long."""
    quiet = SimpleNamespace(health=dict, queued=lambda since: [], failed=lambda dags: {})
    monkeypatch.setattr(services, "airflow", lambda settings: quiet)

    def subjects(settings):
        return [fault.subject for fault in keeper.of_airflow(settings, datetime.now(UTC))]

    assert subjects(main) == ["broker"]
    assert subjects(replace(main, broker_url=None)) == []
    for found, told in (([], ["worker"]), (["minhu-1"], [])):
        monkeypatch.setattr(workers, "answering", lambda *_, found=found, **__: found)
        assert subjects(main) == told


def test_a_worker_holds_the_key_of_logs_and_no_other_secret_of_airflow(main, env, monkeypatch, tmp_path):
    home = WorkerHome(replace(main, home=tmp_path / "worker", landing_zone=env["MINHU_LANDING"]))
    home.folder.mkdir(parents=True)
    home.write()
    told = (home.folder / "airflow.cfg").read_text()
    assert home.serves_logs and main.secret(LOG_KEY) in told
    assert [name for name in ("airflow-fernet", "airflow-jwt") if main.secret(name) in told] == []
    assert (home.folder / "airflow.cfg").stat().st_mode & 0o077 == 0
    monkeypatch.setenv(EXECUTION_API, env[EXECUTION_API])
    assert "MINHU_BROKER_URL" not in home.env(), "a task need not enter the broker"
    assert home.env()["NO_PROXY"].endswith(",main")


def test_without_a_broker_tasks_run_beside_the_scheduler_as_before(main):
    def options(settings):
        return AirflowHome(settings)._options()

    with_one, without = options(main), options(replace(main, broker_url=None))
    assert (with_one["core"]["executor"], without["core"]["executor"]) == ("CeleryExecutor", "LocalExecutor")
    assert "celery" not in without and "task_queued_timeout" not in without["scheduler"]


def test_no_task_may_run_until_its_message_is_given_to_another_worker():
    """`tests/dags` holds every task to two hours."""
    assert celery.VISIBILITY > 7200


def test_the_unit_of_a_worker_runs_one_and_may_write_where_files_land(main, tmp_path):
    with pytest.raises(Refused, match="not as root"):
        units.write_unit(main, "root", tmp_path, is_worker=True)
    file = units.write_unit(replace(main, landing_zone="/srv/landing"), "minhu", tmp_path, is_worker=True)
    told = file.read_text(encoding="utf-8")
    assert file.name == "minhu-worker.service" and "-m minhu worker\n" in told
    assert f"ReadWritePaths={main.home} {main.drop} /srv/landing\n" in told


def test_the_unit_of_the_services_does_what_up_does_and_stays(main, tmp_path):
    file = units.write_unit(main, "minhu", tmp_path)
    assert file.name == "minhu.service" and "-m minhu up --stay\n" in file.read_text(encoding="utf-8")
