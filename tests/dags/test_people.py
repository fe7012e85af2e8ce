"""The DAGs that wait for a person, run by a real scheduler: what they wait for, whose word counts, what follows."""

import time
from urllib.parse import quote

import pytest

from minhu import database, publish, quality, services
from tests.publish import city as world

pytestmark = pytest.mark.long
MONTH = "2026-10"
WAITS = "awaiting_input"


class Run:
    """One run of a DAG."""

    def __init__(self, city, dag_id, conf=None):
        self.city, self.dag_id, self._client = city, dag_id, services.airflow(city)
        self.run_id = services.trigger(city, dag_id, conf)
        self._path = f"dags/{dag_id}/dagRuns/{quote(self.run_id, safe='')}"

    def until(self, task, state, seconds=180):
        deadline = time.monotonic() + seconds
        while (found := self._client.get(f"{self._path}/taskInstances/{task}")["state"]) != state:
            assert time.monotonic() < deadline and found not in ("failed", "upstream_failed"), (task, found)
            time.sleep(0.5)

    def asked(self, task):
        """What a person reads."""
        told = self._client.get(f"{self._path}/taskInstances/{task}/-1/hitlDetails")
        return told["subject"], told["body"]

    def answer(self, task, chosen, **given):
        """As a person does: not in the tenth of a second in which the process that asked is still ending.

        Airflow takes an answer in that moment for a failure of the task, and asks again after its retry's delay.
        """
        time.sleep(3)
        told = {"chosen_options": [chosen], "params_input": given}
        self._client.patch(f"{self._path}/taskInstances/{task}/-1/hitlDetails", told)

    def look_now(self, task):
        """Spares the wait for the next look of a sensor."""
        body = {"dry_run": False, "task_ids": [task], "dag_run_id": self.run_id, "only_failed": False}
        self._client.post(f"dags/{self.dag_id}/clearTaskInstances", body)

    def ended(self):
        """How it ended, and the state of each task."""
        told = services.wait(self.city, [(self.dag_id, self.run_id)], 600)
        tasks = self._client.get(f"{self._path}/taskInstances")["task_instances"]
        return told[self.dag_id], {task["task_id"]: task["state"] for task in tasks}


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    made = world.make(scratch, tmp_path_factory.mktemp("people"))
    services.up(made)
    yield made
    services.down(made)


@pytest.fixture(scope="module")
def shen(city):
    return world.login(city, "l_shen", "evaluator")


def held(city):
    batch_id = world.deliver(city, [world.case(9, "交通局", **world.LATE)])
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'held', reason_code = 'x' where batch_id = %s", [batch_id])
    return batch_id


def status(city, batch_id):
    return world.rows(
        city,
        "select status, exists (select from audit.build_batch as built where built.batch_id = batch.batch_id)"
        " from audit.batch where batch_id = %s",
        batch_id,
    )[0]


def test_a_month_is_published_when_another_login_approved_it_and_somebody_says_when(city, shen):
    run = Run(city, "assessment", {"period": MONTH})
    run.until("approval", "up_for_reschedule", 300)
    (closing,) = publish.list_closings(city)
    assert closing.period == MONTH and publish.list_releases(city) == []
    world.judge(shen, closing)
    run.look_now("approval")
    run.until("go_ahead", WAITS)
    subject, body = run.asked("go_ahead")
    assert subject == f"{MONTH} 已由 l_shen 审批，现在发布？" and "单位得分 2 行" in body
    assert publish.list_releases(city) == []
    run.answer("go_ahead", "Approve", why=world.UNWITNESSED)
    assert run.ended() == ("success", dict.fromkeys(("close", "approval", "go_ahead", "publish"), "success"))
    (release,) = publish.list_releases(city)
    assert release.approved_by == "l_shen" != release.closed_by


def test_nobody_is_asked_where_nothing_waits(city):
    assert run_states(Run(city, "review")) == ("success", "skipped", "skipped")


def test_what_nobody_releases_stays_held_and_what_is_released_is_built_at_once(city, shen):
    batch_id = held(city)
    run = Run(city, "review")
    run.until("decide", WAITS)
    assert f"minhu quality release {batch_id}" in run.asked("decide")[1]
    run.answer("decide", "Reject")
    assert run_states(run)[2] == "skipped" and status(city, batch_id) == ("held", False)
    run = Run(city, "review")
    run.until("decide", WAITS)
    quality.release_batch(shen, batch_id, "已向报送方核实")
    run.answer("decide", "Approve")
    assert run_states(run) == ("success", "success", "success")
    assert status(city, batch_id) == ("accepted", True)


def run_states(run):
    how, tasks = run.ended()
    assert tasks["waiting"] == "success"
    return how, tasks["decide"], tasks["build"]
