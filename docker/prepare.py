"""Makes what the containers need: logins and databases, the schema, Airflow's settings. Run again after an update.

Reads the five passwords MINHU_POSTGRES_PASSWORD, MINHU_OWNER_PASSWORD, MINHU_WORK_PASSWORD, MINHU_AIRFLOW_PASSWORD and
MINHU_ENGINEER_PASSWORD; MINHU_SERVER names the server where it is not ``postgres:5432``. With MINHU_BROKER_URL workers
run the tasks, who make no keys: MINHU_CALLER_KEY and MINHU_RECORD_KEY become those of the warehouse.
"""

import os
from dataclasses import replace

import psycopg

from minhu import config, services
from minhu.database import roles
from minhu.load import key_ring
from minhu.settings import Settings

SERVER = os.environ.get("MINHU_SERVER", "postgres:5432")


def password(name: str) -> str:
    """The password that the environment gives; ``name`` as `roles.make_all` asks, ``minhu_owner-password``."""
    login = name.removesuffix("-password").removeprefix("minhu_")
    return os.environ[f"MINHU_{login.upper()}_PASSWORD"]


def url(database: str, login: str, secret: str) -> str:
    return f"postgresql://{login}:{secret}@{SERVER}/{database}"


def enter(database: str, login: str) -> psycopg.Connection:
    return psycopg.connect(url(database, login, password(login)), autocommit=True)


def main() -> None:
    superuser = password(roles.SUPERUSER)
    roles.settle_superuser(lambda login, own: psycopg.connect(url("postgres", login, own), autocommit=True), superuser)
    roles.make_all(enter, password)
    settings = replace(
        Settings.from_env(),
        database_url=url("warehouse", roles.OWNER, password(roles.OWNER)),
        airflow_url=url("airflow", roles.AIRFLOW, password(roles.AIRFLOW)),
    )
    services.prepare(settings, print)
    config.sync(settings)
    if os.environ.get("MINHU_BROKER_URL"):
        key_ring.make_first(settings)


if __name__ == "__main__":
    main()
