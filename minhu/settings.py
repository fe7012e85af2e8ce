"""Where things are: folders, servers and secrets of one installation, read from the environment.

| variable | meaning | default |
|---|---|---|
| ``MINHU_HOME`` | data of this installation | ``.minhu/`` beside the package |
| ``MINHU_DATABASE_URL`` | another PostgreSQL ≥ 16 instead of the embedded one | (embedded) |
| ``MINHU_WORK_URL`` | the same as the login of Airflow's tasks, which are given no other | ``MINHU_DATABASE_URL`` |
| ``MINHU_READ_URL`` | a standby of it, for who only reads | the standby of this home, if any |
| ``MINHU_AIRFLOW_URL`` | the database that Airflow keeps | that of ``MINHU_DATABASE_URL`` with ``_airflow`` |
| ``MINHU_BROKER_URL`` | the broker that hands tasks to workers (`minhu worker`) | (tasks run beside the scheduler) |
| ``MINHU_LOGIN`` | whom commands enter the embedded server as, see `minhu.database.roles` | ``minhu_owner`` |
| ``MINHU_CONFIG`` | the folder a city edits | ``config/`` |
| ``MINHU_DROP`` | root that drop-folder sources are relative to | ``$MINHU_HOME/drop`` |
| ``MINHU_TUNE`` | what the embedded server and dbt are set to otherwise (`minhu.database.tuning`) | (reckoned) |
| ``MINHU_LANDING`` | where raw deliveries are kept: a folder or a URL | ``$MINHU_HOME/landing`` |
| ``MINHU_LANDING_KEY`` | age keys that encrypt them, comma-separated | ``$MINHU_HOME/secrets/landing-key`` |
| ``MINHU_FONT`` | font files of PDF exports: 黑体, or 黑体 and 宋体 with a comma between | those of the set-up |
| ``MINHU_LINEAGE`` | where OpenLineage events go: a file, or the URL they are posted to | (none are made) |
| ``MINHU_LINEAGE_NAMESPACE`` | namespace of their jobs and datasets | ``minhu`` |
| ``MINHU_SPARK_MASTER`` | the Spark cluster that the DAG ``scale`` submits to | (there is no such DAG) |
| ``MINHU_SPARK_FOLDER`` | the folder that this machine and that cluster share | ``$MINHU_HOME/spark`` |
| ``MINHU_PORTAL_URL`` | where the portal is, for links in messages | (commands are named) |
| ``MINHU_CALLER_KEY`` | the key of caller tokens, hex | ``$MINHU_HOME/secrets/caller-key`` |
| ``MINHU_CALLER_KEYS_OLD`` | keys before it, hex, comma-separated | ``$MINHU_HOME/secrets/caller-key.<id>`` |
| ``MINHU_RECORD_KEY`` | the key of hashed numbers, hex | ``$MINHU_HOME/secrets/record-key`` |
"""

import os
import re
import secrets
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from minhu.business_date import TIMEZONE

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def city_timezone(config: Path) -> str:
    """The time zone that ``city.yml`` of a configuration says: of every date and time of day there is no other.

    One line of the file is looked at, since every connection asks; who reads it whole says what is wrong with it.
    """
    try:
        written = config / "city.yml"
        return _timezone(written, written.stat().st_mtime_ns)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return TIMEZONE


@lru_cache(maxsize=8)
def _timezone(written: Path, _as_of: int) -> str:
    said = re.search(r"""^timezone:[ ]*["']?([\w/+-]+)""", written.read_text(encoding="utf-8"), re.MULTILINE)
    return ZoneInfo(said[1]).key if said else TIMEZONE


@dataclass(frozen=True)
class Asker:
    """Whose session of the portal a connection is for. ``reads``: its transactions change nothing."""

    token: str = field(repr=False)
    reads: bool = True
    job: int | None = None
    """Of a job of his, which the token claims then."""


@dataclass(frozen=True)
class Job:
    """A job of the portal that this process has claimed: its asker decides, by the last transaction."""

    number: int
    claim: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """One installation. Paths are absolute; nothing is created by looking."""

    home: Path
    config: Path
    drop: Path
    database_url: str | None = field(repr=False)  # it holds a password, as those below do
    landing_zone: str | None = field(default=None, repr=False)
    """Where raw deliveries are kept instead of a folder of ``home``: another folder, or a URL that fsspec knows."""
    lineage: str | None = field(default=None, repr=False)
    """Where OpenLineage events go: a file or an http(s) URL; none are made without it."""
    lineage_namespace: str = "minhu"
    work_url: str | None = field(default=None, repr=False)
    """The database at ``database_url`` as the login of Airflow's tasks."""
    read_url: str | None = field(default=None, repr=False)
    """A standby of the database, for who only reads; never for loads, builds, scores, closings or the portal."""
    airflow_url: str | None = field(default=None, repr=False)
    """The database that Airflow keeps, where ours is not embedded."""
    broker_url: str | None = field(default=None, repr=False)
    """The broker of CeleryExecutor; without one tasks run on the scheduler's machine."""
    login: str = "minhu_owner"
    """Whom commands enter the embedded server as; of no meaning where ``database_url`` is another."""
    tune: str = ""
    """What the embedded server and dbt are set to otherwise than `minhu tune` reckons."""
    spark_master: str | None = None
    """The Spark cluster to submit to, such as ``spark://HOST:7077``; without one nothing is submitted."""
    spark_shared: Path | None = None
    """The folder that the cluster and this machine share."""
    is_at_work: bool = False
    """Whether the owner acts as ``minhu_work``."""
    asker: Asker | None = None
    """Who acts in each transaction, where ``database_url`` is a login of the portal, which is nobody."""
    job: Job | None = None
    """For whom the act that is under way decides."""

    @classmethod
    def from_env(cls, env: os._Environ | dict = os.environ) -> "Settings":
        home = Path(env.get("MINHU_HOME") or PROJECT_ROOT / ".minhu").resolve()
        return cls(
            home=home,
            config=Path(env.get("MINHU_CONFIG") or PROJECT_ROOT / "config").resolve(),
            drop=Path(env.get("MINHU_DROP") or home / "drop").resolve(),
            database_url=env.get("MINHU_DATABASE_URL") or None,
            landing_zone=env.get("MINHU_LANDING") or None,
            lineage=env.get("MINHU_LINEAGE") or None,
            lineage_namespace=env.get("MINHU_LINEAGE_NAMESPACE") or "minhu",
            work_url=env.get("MINHU_WORK_URL") or None,
            read_url=env.get("MINHU_READ_URL") or None,
            airflow_url=env.get("MINHU_AIRFLOW_URL") or None,
            broker_url=env.get("MINHU_BROKER_URL") or None,
            login=env.get("MINHU_LOGIN") or "minhu_owner",
            tune=env.get("MINHU_TUNE") or "",
            spark_master=env.get("MINHU_SPARK_MASTER") or None,
            spark_shared=Path(env["MINHU_SPARK_FOLDER"]).resolve() if env.get("MINHU_SPARK_FOLDER") else None,
        )

    @property
    def at_work(self) -> "Settings":
        """The same for loads, builds and scores: the owner does them as ``minhu_work``, others as who they are."""
        return replace(self, is_at_work=True)

    @property
    def landing(self) -> Path:
        """The folder of raw deliveries, named by their sha256; readable by the loader alone. Not used with a URL."""
        if self.landing_zone and not self.landing_url:
            return Path(self.landing_zone.removeprefix("file://")).resolve()
        return self.home / "landing"

    @property
    def landing_url(self) -> str | None:
        """The object store of raw deliveries, if they are kept in one."""
        zone = self.landing_zone or ""
        return zone if "://" in zone and not zone.startswith("file://") else None

    @property
    def transit(self) -> Path:
        """What is on its way: fetched files, copies of encrypted or distant ones; readable by the loader alone."""
        return self.home / "transit"

    @property
    def timezone(self) -> str:
        """The city's time zone."""
        return city_timezone(self.config)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def spark_folder(self) -> Path:
        """Where people export the marts for the cluster (``marts``), and where its answers lie."""
        return self.spark_shared or self.home / "spark"

    @property
    def data_docs(self) -> Path:
        return self.home / "data_docs"

    def secret(self, name: str) -> str:
        """The secret ``name`` of this installation as 64 hex digits, made on first use, readable by its owner alone."""
        path = self.home / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            fresh = path.with_name(f".{name}.{secrets.token_hex(8)}")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(32))
            try:
                os.link(fresh, path)  # two first runs at once agree on one secret: the second link fails
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()
