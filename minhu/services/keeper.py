"""The keeper of the house: it seals the access log and ends sessions that keep others from working.

Looks every second, as the login of the tasks; what it does are functions of the database (`sql/241…`). A server that
is away it waits for and does not start.
"""

import logging
import time

import psycopg

from minhu import database
from minhu.database import embedded
from minhu.errors import MinhuError
from minhu.settings import Settings

EVERY = 1.0
"""Seconds."""
log = logging.getLogger("minhu.keeper")


def look(connection: psycopg.Connection) -> list[str]:
    """Seals and ends what there is, once; what was ended, in words."""
    connection.execute("select audit.seal_access()")
    return [
        f"ended a session of {login}: {why} for {seconds} s ({told})"
        for login, why, seconds, told in connection.execute("select * from audit.end_sessions_in_the_way()")
    ]


def keep(settings: Settings) -> None:
    """Looks until it is killed."""
    is_away = False
    while True:
        try:
            if settings.database_url or embedded.status(settings).running:
                with database.connect(settings, autocommit=True) as connection:
                    is_away = False
                    while True:
                        for told in look(connection):
                            log.warning("%s", told)
                        time.sleep(EVERY)
        except (MinhuError, psycopg.Error) as error:
            if not is_away:
                log.warning("the database is away: %s", str(error).partition("\n")[0])
            is_away = True
        time.sleep(EVERY)
