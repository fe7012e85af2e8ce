"""A broker, the services and two workers, for real: one is killed in the middle of a load, and nothing is lost.

`make cluster` does the same with every feed of the city, and kills the broker too.
"""

import re

import psycopg
import pytest

from bench import machines
from bench.cluster import DAY, Sent, kill_in_a_load, prove, run_feeds, wait_for
from minhu import database, services
from minhu.database import embedded, roles
from minhu.feeds import load_feeds
from minhu.services import workers
from minhu.settings import PROJECT_ROOT
from tests import given

ANNA = "13800001111"
SHORT, LONG = ("h1", "h2", "h3", "h4"), ("h5", "h6")
"""Feeds; a worker takes two at once, so that each loads some, and the long ones last until one is killed in them."""
FILES = dict.fromkeys(SHORT, 100) | dict.fromkeys(LONG, 20_000)
"""Rows of each."""
QUICKLY = {
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "6",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
}


def dags_that_retry_at_once(folder):
    """Ours, but that a load which failed is tried again in a second, not in minutes."""
    folder.mkdir()
    for path in (PROJECT_ROOT / "dags").glob("*.py"):
        text = re.sub(r"timedelta\(minutes=2\)", "timedelta(seconds=1)", path.read_text(encoding="utf-8"))
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def feeds_of(names):
    for name in names:
        source = given.CASES["source"] | {"path": f"{name}/cases_{{date}}.csv"}
        yield given.feed(name, deliveries=[given.CASES | {"source": source}])


def send(drop):
    """The files; Anna calls every hotline once, others once each."""
    files = {}
    for feed, rows in FILES.items():
        name = f"{feed}/cases_{DAY:%Y%m%d}.csv"
        numbers = [{"工单编号": f"{feed}{at}", "来电号码": f"139{at:08}" if at else ANNA} for at in range(rows)]
        given.case_file(drop / name, numbers)
        files[name] = (rows, 0, 0)
    return Sent(files, {feed: {f"{feed}0"} for feed in FILES})


@pytest.fixture(scope="module")
def found(home):
    folder = home / "cluster"
    folder.mkdir()
    config = given.config(folder / "config", feeds_of(FILES))
    dags = dags_that_retry_at_once(folder / "dags")
    with machines.cluster(folder, config, AIRFLOW__CORE__DAGS_FOLDER=str(dags), **QUICKLY) as found:
        yield found


@pytest.mark.long
def test_what_a_dead_worker_had_begun_another_ends_and_nothing_is_lost_or_doubled(found):
    settings = found.main.settings
    sent = send(settings.drop)
    for name in ("first", "second"):
        found.worker(name).start()
    for one in found.workers:
        one.wait()
    feeds = load_feeds(settings.config)
    runs = run_feeds(found, [feed for feed in feeds if feed.code in SHORT])
    wait_for(found, runs, len(runs), 120, print)
    runs += run_feeds(found, [feed for feed in feeds if feed.code in LONG])
    death = kill_in_a_load(settings, found.workers, 60)
    assert death.pids
    wait_for(found, runs, len(runs), 120, print)
    wrong = [proof for proof in prove(found, runs, sent) if not proof.is_so]
    assert wrong == []
    assert_that_proofs_can_fail(found, runs, sent)
    [alive] = [one for one in found.workers if one is not death.worker]
    assert workers.answering(settings) == [alive.name]
    assert services.status(settings)["workers"] == {"answering": alive.name}
    alive.stop()
    assert workers.answering(settings) == []


def assert_that_proofs_can_fail(found, runs, sent):
    """One row more in a file, one more caller among the cases of one."""
    name = f"h1/cases_{DAY:%Y%m%d}.csv"
    miscounted = Sent(sent.files | {name: (FILES["h1"] + 1, 0, 0)}, sent.called | {"h2": {"h20", "h21"}})
    assert [proof.what for proof in prove(found, runs, miscounted) if not proof.is_so] == [
        "every row is accounted for",
        "one caller is one",
    ]


@pytest.mark.long
def test_a_workers_login_reads_nothing_of_airflow_but_the_results_of_celery(found):
    url = embedded.start(found.main.settings).url("airflow", roles.WORK)
    with psycopg.connect(url, autocommit=True) as work:
        assert database.one(work, "select count(*) > 0 from celery_taskmeta") == (True,)
        tables = [name for (name,) in work.execute("select tablename from pg_tables where schemaname = 'public'")]
        readable = [name for name in tables if database.one(work, f"select has_table_privilege('{name}', 'select')")[0]]
        assert sorted(readable) == ["celery_taskmeta", "celery_tasksetmeta"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            work.execute("create table mine (one int)")
