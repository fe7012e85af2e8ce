"""The keeper of the house as a process: each second what `minhu.services.keeper` does, each minute a look for faults,
which are told. It lives beside Airflow, so that a scheduler that died is told too.
"""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg

from minhu import services
from minhu.database import embedded
from minhu.errors import MinhuError, Refused, Retryable
from minhu.services import keeper, supervisor, workers
from minhu.settings import Settings
from minhu.watch.certificates import of_certificates
from minhu.watch.digest import tell_day
from minhu.watch.faults import Fault
from minhu.watch.incidents import look, tell
from minhu.watch.mends import Mend

EVERY = 60.0
"""Seconds."""
SILENT = timedelta(minutes=3)
OF_RUNS = frozenset({"task_queued", "run_failed"})
QUEUED = timedelta(minutes=15)
WORKER_ANSWERS_WITHIN = 15.0
"""Seconds, of any of them."""
OF_THE_CITY = ("warehouse", "arrivals", "assessment")
"""DAGs whose failure no delivery tells of. Who rejects in `review` makes its run fail on purpose."""
log = logging.getLogger("minhu.keeper")


def of_airflow(settings: Settings, now: datetime) -> tuple[Fault, ...]:
    """What Airflow does not tell by itself: parts that have not been heard of for a while, tasks that are queued for
    long, and runs of the city's own DAGs that failed. One that never was started is no fault.
    """
    try:
        client = services.airflow(settings)
    except Refused:
        return ()
    try:
        health = client.health()
        silent = [part for part, (status, at) in health.items() if status == "unhealthy" or (at and now - at > SILENT)]
        silent += _without_workers(settings)
        if silent:
            return tuple(_silent(part.replace("_", "-"), now) for part in silent)
        found = [
            Fault("task_queued", subject=told, what=told, mend=Mend.task_queued.value, since=at)
            for told, at in client.queued(now - QUEUED)
        ]
        found += [
            Fault("run_failed", subject=dag, what=f"{dag}（{run}）", mend=Mend.run_failed.value, since=at)
            for dag, (run, at) in client.failed(OF_THE_CITY).items()
        ]
    except (Retryable, Refused):  # that it lets us in no longer keeps no other fault from being told
        return (_silent("api-server", now),)
    return tuple(found)


def _without_workers(settings: Settings) -> list[str]:
    """What keeps every task from being run where a broker hands them out. Such tasks are not queued for long: what
    nobody takes is sent again and again."""
    if not settings.broker_url:
        return []
    try:
        return [] if workers.answering(settings, within=WORKER_ANSWERS_WITHIN, enough=1) else ["worker"]
    except MinhuError:
        return ["broker"]


def _silent(part: str, now: datetime) -> Fault:
    return Fault(
        "airflow_silent", subject=part, what=f"Airflow 的 {part} 没有响应", mend=Mend.airflow_silent.value, since=now
    )


def once(settings: Settings) -> list[str]:
    """Looks and tells once; what there is to log."""
    now = datetime.now(UTC)
    found = (*of_airflow(settings, now), *of_certificates(settings, now))
    is_silent = any(fault.kind == "airflow_silent" for fault in found)
    opened, closed = look(settings, more=found, unseen=OF_RUNS if is_silent else frozenset())
    lines = [f"incidents: {opened} opened, {closed} closed"] if opened or closed else []
    for what, sent in (("incidents", tell(settings)), ("digest", tell_day(settings))):
        lines += [f"{what} to {name}: {refusal.words if refusal else 'sent'}" for name, refusal in sent.items()]
    return lines


def tell_for_ever(settings: Settings) -> None:
    """Looks and tells each minute until the process ends. What fails is tried again with the next minute."""
    failed = None
    while True:
        time.sleep(EVERY)
        try:
            if settings.database_url or embedded.status(settings).running:
                for line in once(settings):
                    log.info("%s", line)
            failed = None
        except (MinhuError, psycopg.Error) as error:
            said = str(error).partition("\n")[0]
            if said != failed:
                log.warning("faults were not looked for: %s", said)
            failed = said


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole addresses, and a bot's is a secret
    of_home = Settings.from_env()
    threading.Thread(target=tell_for_ever, args=[of_home], daemon=True).start()
    threading.Thread(target=supervisor.keep_alive, args=[of_home, threading.Event()], daemon=True).start()
    keeper.keep(of_home)
