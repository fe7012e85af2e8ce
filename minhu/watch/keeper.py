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
from minhu.errors import MinhuError
from minhu.services import keeper, supervisor
from minhu.settings import Settings
from minhu.watch.digest import tell_day
from minhu.watch.faults import Fault
from minhu.watch.incidents import look, tell
from minhu.watch.mends import Mend

EVERY = 60.0
"""Seconds."""
SILENT = timedelta(minutes=3)
log = logging.getLogger("minhu.keeper")


def of_airflow(settings: Settings, now: datetime) -> tuple[Fault, ...]:
    """Parts of a started Airflow that have not been heard of for a while. One that never was started is no fault."""
    try:
        health = services.airflow(settings).health()
    except MinhuError as error:
        if "never been started" in str(error):
            return ()
        return (_silent("api-server", now),)
    silent = [
        part
        for part, (status, heard) in health.items()
        if status == "unhealthy" or (heard is not None and now - heard > SILENT)
    ]
    return tuple(_silent(part.replace("_", "-"), now) for part in silent)


def _silent(part: str, now: datetime) -> Fault:
    return Fault(
        "airflow_silent", subject=part, what=f"Airflow 的 {part} 没有响应", mend=Mend.airflow_silent.value, since=now
    )


def once(settings: Settings) -> list[str]:
    """Looks and tells once; what there is to log."""
    opened, closed = look(settings, more=of_airflow(settings, datetime.now(UTC)))
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
