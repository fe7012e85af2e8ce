"""How Airflow uses Celery, each option with its reason. What is tried against it: ``make cluster``.

A task is safe to run twice: a batch is its bytes, a build has a lock. So a message may come twice and a task may be
taken for dead; what may not happen is that one is lost, or that a run waits for it forever.

    a worker dies          its tasks no longer report; HEARTBEAT later they fail and are tried again, elsewhere
    the broker dies        what runs goes on; what is to be sent is tried until it is taken
    the broker forgets     what it held stays queued for QUEUED, then it is sent again
    a message comes twice  Airflow lets a task begin once: the second is refused, or says that it runs elsewhere
"""

import json

AT_ONCE = 32
"""Tasks running or handed to the broker: what four workers run. More would wait there, seen by nobody."""
HEARTBEAT = 60
"""Seconds without a sign until a task counts as dead. Tasks report every second, and end themselves after three
failures."""
QUEUED = 300
"""Seconds in the broker until a message counts as lost. Where all workers are busy it is sent again for nothing."""
BEGUN_ANEW = 24
"""How often that may happen to one task before it fails: two hours of busy workers."""
VISIBILITY = 3 * 3600
"""Seconds until a message that was taken and not acknowledged is given to another worker: longer than any task may run
(two hours), or it would be given away under a living worker. Of no use to a dead one, which HEARTBEAT sees first."""
PUBLISH = 2
"""Seconds for one attempt to send: they hold up the scheduler."""
ATTEMPTS = 1800
"""To send one task, an hour at least: a broker that is away is no fault of a task."""

SCHEDULER: dict[str, object] = {
    "task_instance_heartbeat_timeout": HEARTBEAT,
    "task_queued_timeout": QUEUED,
    "task_queued_timeout_check_interval": 30,
    "num_stuck_in_queued_retries": BEGUN_ANEW,
}
"""What the scheduler must know of tasks that run elsewhere."""

_EXTRA = {
    "task_publish_retry_policy": {"max_retries": None, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1},
    "broker_connection_max_retries": None,  # a worker waits for its broker, however long
    "worker_cancel_long_running_tasks_on_connection_loss": False,  # and goes on with what it has meanwhile
}


def options(broker_url: str, concurrency: int) -> dict[str, dict[str, object]]:
    """Sections of Airflow's settings. Results are kept where Airflow keeps all else: in its database."""
    return {
        "celery": {
            "broker_url": broker_url,
            "worker_concurrency": concurrency,
            "worker_prefetch_multiplier": 1,  # with late acknowledgement: a worker takes what it can begin
            "task_acks_late": True,  # what a worker took and did not end is still known to the broker
            "operation_timeout": PUBLISH,
            "task_publish_max_retries": ATTEMPTS,
            "sync_parallelism": 1,  # a day's feeds are sent in a blink; processes for that cost more
            "extra_celery_config": json.dumps(_EXTRA),
        },
        "celery_broker_transport_options": {"visibility_timeout": VISIBILITY},
    }
