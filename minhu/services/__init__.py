"""The local services: PostgreSQL and the processes of Airflow, started, stopped, asked."""

from minhu.services.control import airflow, down, mend, prepare, revive, status, trigger, up, wait

__all__ = ["airflow", "down", "mend", "prepare", "revive", "status", "trigger", "up", "wait"]
