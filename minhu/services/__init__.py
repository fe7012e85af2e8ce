"""The local services: PostgreSQL and the processes of Airflow, started, stopped, asked."""

from minhu.services.control import (
    airflow,
    down,
    mend,
    portal_url,
    prepare,
    revive,
    status,
    trigger,
    up,
    wait,
    with_portal,
)

__all__ = [
    "airflow",
    "down",
    "mend",
    "portal_url",
    "prepare",
    "revive",
    "status",
    "trigger",
    "up",
    "wait",
    "with_portal",
]
