"""What stops a closing or a publication: a month that is not over, a gate, a kill, a rival, a rejection, a wait."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date

import pytest

from minhu import assess, database
from minhu.errors import Refused
from minhu.publish import approved_by, close, publish, publish_closing, verify
from minhu.scoring import law, score
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import LATE, UNWITNESSED, case, deliver, judge, login, rows
from tests.scenarios.city import confirm

MONTH = "2026-10"
FROM = {"publish.unit_score": "mart.fct_unit_score", "publish.unit_indicator": "mart.fct_unit_indicator"} | {
    "publish.evidence": "mart.fct_evidence"
}
LAW = {f"publish.{table.removeprefix('dim_')}": f"mart.{table}" for table in law.LAW}


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """October until the 24th."""
    return world.make(scratch, tmp_path_factory.mktemp("limits"), day=date(2026, 10, 24))


@pytest.fixture(scope="module")
def wang(city):
    return login(city, "l_wang", "evaluator")


def published(city):
    return [rows(city, f"select count(*) from {table}")[0][0] for table in (*FROM, "publish.release")]


def test_published_tables_have_every_column_that_is_scored(city):
    columns = "select attname, atttypid from pg_attribute where attrelid = %s::regclass and attnum > 0"
    for table, source in {**FROM, **LAW}.items():
        lacking = set(rows(city, columns, source)) - set(rows(city, columns, table))
        assert lacking == set(), f"{table} lacks {lacking}: the migration that adds to {source} adds to it too"


def test_a_granted_appeal_waits_for_its_revision(city, wang):
    asked = {"grounds_code": "x", "statement": "不属本单位", "evidence_ref": "1", "unit_code": "U1"}
    filed = assess.record(city, "file_appeal", period=MONTH, feed_code="h1", case_no=case(5, "")["工单编号"], **asked)
    granted = {"decision": "granted", "reason_code": "x", "reason": "属实", "from_revision": 2}
    assess.record(wang, "decide_appeal", appeal_id=filed, **granted)
    confirm(login(city, "l_li", "evaluator"))
    assert build(city).build_id is None
    assert rows(city, "select is_excluded from mart.fct_timeliness where is_excluded") == []


def test_a_month_that_is_not_over_is_closed_only_early(city):
    with pytest.raises(Refused, match=r"release gate does not let 2026-10 through: release\.period_over"):
        close(city, MONTH)
    assert rows(city, "select 1 from publish.closing") == []
    with pytest.raises(Refused, match="calls the result of 2026 final"):
        close(city, "2026", is_early=True)
    assert close(city, MONTH, is_early=True).is_early


def test_a_gate_that_fails_for_another_reason_stops_an_early_closing_too(city):
    batch = deliver(city, [case(20, "交通局")])
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'loaded' where batch_id = %s", [batch])
    with pytest.raises(Refused, match=r"release.no_unjudged_batch [^;]+$"):
        close(city, MONTH, is_early=True)
    with database.connect(city) as connection:
        connection.execute(
            "update audit.batch set status = 'refused', reason_code = 'x', reason = 'x' where batch_id = %s", [batch]
        )
    assert len(rows(city, "select 1 from publish.closing")) == 1


def test_a_gate_run_of_other_scores_closes_nothing(city):
    ((version, run),) = rows(city, "select scheme_version, quality_run_id from publish.closing where closing_id = 1")
    with database.connect(city) as connection, pytest.raises(Exception, match="no release gate has passed"):
        connection.execute("select publish.close('linan', %s, '2026-10', %s, '{}', is_early => true)", [version, run])


def test_what_was_rejected_is_not_published(city, wang):
    closing = close(city, MONTH, is_early=True)
    assert approved_by(city, closing.closing_id) is None
    judge(wang, closing, "rejected")
    with pytest.raises(Refused, match="was rejected by l_wang"):
        approved_by(city, closing.closing_id)
    with pytest.raises(Refused, match=f"closing {closing.closing_id} of 2026-10 was rejected"):
        publish(city, MONTH, why=UNWITNESSED)
    assert published(city) == [0, 0, 0, 0]


@pytest.fixture(scope="module")
def approved(city, wang):
    closing = close(city, MONTH, is_early=True)
    judge(wang, closing)
    return closing


def test_what_was_frozen_and_changed_before_the_publication_is_not_published(city, approved):
    with database.connect(city) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update publish.frozen_row set data = data || '{\"points\": 99}' where closing_id = %s and row_no = 5",
            [approved.closing_id],
        )
        connection.execute("set session_replication_role = origin")
        with pytest.raises(Exception, match="is not what it was when it was approved"):
            connection.execute("select publish.publish(%s)", [approved.closing_id])
        connection.rollback()


def test_a_publication_that_is_killed_leaves_nothing(city, approved):
    """Killed while it writes the release, after all its rows."""
    with database.connect(city) as connection:
        connection.execute(
            "create function publish.dawdle() returns trigger language plpgsql as"
            " 'begin perform pg_sleep(600); return new; end'"
        )
        connection.execute(
            "create trigger dawdle before insert on publish.release for each row execute function publish.dawdle()"
        )
    environment = os.environ | {"MINHU_HOME": str(city.home), "MINHU_DATABASE_URL": city.database_url}
    command = [sys.executable, "-m", "minhu", "publish", MONTH, "--why", UNWITNESSED]
    running = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stderr=subprocess.PIPE)
    asleep = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    for _ in range(300):
        sleeping = rows(city, asleep)
        if sleeping:
            break
        time.sleep(0.2)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    with database.connect(city, autocommit=True) as connection:  # the server would notice after its sleep
        connection.execute("select pg_terminate_backend(%s, 10000)", sleeping[0])
        connection.execute("drop function publish.dawdle cascade")
    assert published(city) == [0, 0, 0, 0]


def test_of_two_publications_at_once_one_is_refused(city, approved):
    told, barrier = [], threading.Barrier(2)

    def run():
        barrier.wait()
        try:
            told.append(publish(city, MONTH, why=UNWITNESSED).revision)
        except Refused as error:
            told.append(str(error))

    rivals = [threading.Thread(target=run) for _ in range(2)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert sorted(map(str, told)) == ["1", f"closing {approved.closing_id} of 2026-10 is published already"]
    assert published(city)[0] == 2 and published(city)[3] == 1
    # who tries again gets what is there
    assert publish_closing(city, approved.closing_id, why=UNWITNESSED).revision == 1
    with pytest.raises(Refused, match="revision 1 of 2026-10 was published after closing 1"):
        publish_closing(city, 1, why=UNWITNESSED)


@pytest.mark.long
def test_what_was_closed_early_computes_anew(city, approved):
    assert verify(city, MONTH).differences == ()


def test_then_the_appeal_counts_in_the_facts(city, approved):
    assert build(city).decisions == 1
    assert rows(city, "select count(*) from mart.fct_timeliness where is_excluded") == [(1,)]
    assert verify(city, MONTH).differences == ()  # the release rests on the decisions of before


def test_a_batch_that_waits_for_the_build_stops_a_closing(city):
    deliver(city, [case(9, "交通局", **LATE)])
    with pytest.raises(Refused, match="1 batches are not built yet"):
        close(city, MONTH, why="补报")


@pytest.mark.long
def test_a_year_that_is_the_mean_of_its_months_is_proved_by_its_hashes(scratch, tmp_path):
    """Its months are scores of their own: from its own rows it would come out otherwise, and nobody changed a thing."""

    def told(number, month, closed):
        at = {"受理时间": f"2025-{month}-03 08:30:00", "转办时间": f"2025-{month}-03 09:00:00"}
        return case(
            number, "城管局", **at, 办理期限=f"2025-{month}-11 00:00", 办结时间=f"2025-{month}-{closed} 10:00:00"
        )

    rows = [told(1, "11", "05"), *(told(number, "12", "20") for number in (2, 3, 4))]
    city = world.make(scratch, tmp_path, rows, date(2025, 12, 31))
    scheme = city.config / "schemes" / "linan.yml"
    text = scheme.read_text(encoding="utf-8").replace("valid_from: 2026-01-01", "valid_from: 2025-11-01")
    mean = "\naggregation: {year: mean_of_months}\n\npeer_groups:"
    scheme.write_text(text.replace("\npeer_groups:", mean, 1), encoding="utf-8")
    build(city)
    for month in ("2025-11", "2025-12"):
        score(city, month)
    closing = close(city, "2025")
    judge(login(city, "p_mean", "evaluator"), closing)
    publish(city, "2025", why=UNWITNESSED)
    found = verify(city, "2025")
    assert found.is_ok and found.differences is None
    assert [note for note in found.notes if "平均" in note]
