"""Examines what an installation stands on, before something fails at night."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import psutil

from minhu import config, database
from minhu.config.city import City
from minhu.database import tuned
from minhu.declaration import read_declaration
from minhu.errors import MinhuError, Refused
from minhu.glossary.watched import INCIDENT
from minhu.landing import seal
from minhu.landing.store import store_of
from minhu.load import key_ring
from minhu.services import workers
from minhu.settings import Settings
from minhu.warehouse.detached import read as months
from minhu.watch.certificates import SOON, of_certificates, servers
from minhu.watch.faults import BACKUP, FREE_GB, KEPT_LOG_GB, faults

OLDEST_POSTGRESQL = 16
FREE_MEMORY_GB = 1


@dataclass(frozen=True)
class Check:
    name: str
    is_ok: bool
    found: str


def examine(settings: Settings) -> list[Check]:
    """Every check, in the order in which one depends on another. Starts the embedded server where it is used."""
    return [*_packages(), *_folders(settings), _guarded("configuration", lambda: _configuration(settings)),
            _guarded("readings", lambda: _readings(settings)), _guarded("pages", lambda: _pages(settings)),
            _guarded("Chinese font", _chinese_font),
            _guarded("certificates", lambda: _certificates(settings)),
            *([_guarded("broker", lambda: _broker(settings))] if settings.broker_url else []),
            *_database(settings)]  # fmt: skip


def _guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except MinhuError as error:
        return Check(name, False, str(error))


def _packages() -> Iterator[Check]:
    for package, wanted in {"apache-airflow": "3.3.", "dbt-core": "1.11.", "great-expectations": "1.24."}.items():
        found = version(package)
        yield Check(package, found.startswith(wanted), f"{found} (made for {wanted}x)")


def _folders(settings: Settings) -> Iterator[Check]:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1e9
    yield Check("disk", free >= FREE_GB, f"{free:.0f} GB free at {settings.home}")
    left = psutil.virtual_memory().available / 1e9
    yield Check("memory", left >= FREE_MEMORY_GB, f"{left:.1f} GB free; a build and a gate want {FREE_MEMORY_GB}")
    yield _landing(settings)
    secrets = settings.home / "secrets"
    open_to_others = sorted(path.name for path in secrets.glob("*") if path.stat().st_mode & 0o077)
    told = (
        f"others read {', '.join(open_to_others)} in {secrets}: chmod 600" if open_to_others else "their owner's alone"
    )
    yield Check("secrets", not open_to_others, told)
    others = [folder for folder in (settings.home, settings.logs, settings.drop) if _is_read_by_others(folder)]
    mend = f"others read {' and '.join(map(str, others))}: chmod 700" if others else "their owner's alone"
    yield Check("files", not set(others) - {settings.drop}, mend)  # a drop folder may be its senders' too
    yield Check("drop folder", os.access(settings.drop, os.R_OK) or not settings.drop.exists(), str(settings.drop))


def _is_read_by_others(folder: Path) -> bool:
    return folder.exists() and bool(folder.stat().st_mode & 0o044)


def _broker(settings: Settings) -> str:
    """That none answers stops nothing here: one may be about to join."""
    return f"workers that answer: {', '.join(workers.answering(settings)) or 'none'}"


def _certificates(settings: Settings) -> str:
    """Of the servers that the configuration names. Raises Refused where one ends soon: then its servers refuse us."""
    looked_at = servers(settings)
    found = of_certificates(settings, datetime.now(UTC))
    if found:
        raise Refused("; ".join(one.what for one in found))
    return f"none of {len(looked_at)} servers' ends within {SOON.days} days"


def _chinese_font() -> str:
    """The fonts of PDF exports."""
    from minhu.paper.fonts import find_faces

    faces = find_faces()
    return " and ".join(dict.fromkeys((faces.sans.path.name, faces.serif.path.name)))


def _landing(settings: Settings) -> Check:
    """Whether the landing zone answers, is private, and whether what lands there is encrypted."""
    try:
        sealed = "encrypted" if seal.read_keys(settings) else "not encrypted"
        store = store_of(settings)
        store.find("0" * 64)
    except MinhuError as error:
        return Check("landing zone", False, str(error))
    local = not settings.landing_url and settings.landing.exists()
    is_open = local and settings.landing.stat().st_mode & 0o077
    mend = ", others can read it: chmod 700" if is_open else ""
    return Check("landing zone", not is_open, f"{store.told}, {sealed}{mend}")


def _configuration(settings: Settings) -> str:
    entries = config.read_config(settings.config)
    feeds = sum(kind == "feed" for kind, _ in entries)
    units = len({data["unit_code"] for (kind, _), data in entries.items() if kind == "unit"})
    return f"{feeds} feeds, {units} units from {settings.config}"


def _readings(settings: Settings) -> str:
    """Under which edition of the readings duties are judged, and whether there is a newer one that nobody declared."""
    entries = config.read_config(settings.config).items()
    held = sorted((data["valid_from"], data["edition"]) for (kind, _), data in entries if kind == "reading")
    told = "; ".join(f"edition {edition} from {since}" for since, edition in held) or "edition 1"
    newest = max(get_args(config.Readings.model_fields["edition"].annotation))
    is_newest = bool(held) and held[-1][1] == newest
    return told if is_newest else f"{told}; edition {newest} is there: `readings` of city.yml, docs/upgrading.md"


def _pages(settings: Settings) -> str:
    """Who shows a code of his phone beside the password."""
    groups = read_declaration(City, settings.config / "city.yml").portal.second_factor
    if "evaluator" in groups:
        return f"{', '.join(groups)} sign in with a second factor"
    return "who decides signs in by a password alone: `portal` of city.yml asks for a second factor"


def _zone(settings: Settings, name: str) -> Check:
    """Of who enters the database ``name`` without naming one: our own logins have the city's."""
    zone = database.default_zone(settings)
    mend = "" if zone == settings.timezone else f"; mend: alter database {name} set timezone = '{settings.timezone}'"
    return Check("time zone", not mend, f"{zone}{mend}")


def _database(settings: Settings) -> Iterator[Check]:
    try:
        with database.connect(settings) as connection:
            number = connection.info.server_version // 10000
            ctype, encoding = database.one(
                connection,
                "select datctype, pg_encoding_to_char(encoding) from pg_database where datname = current_database()",
            )
            zone = _zone(settings, connection.info.dbname)
            is_owners = database.one(connection, _IS_OWNERS)[0]
            missing = database.outstanding(connection) if is_owners else []
            stands = dict(zip(RIGHTS, database.one(connection, _RIGHTS), strict=True))
    except MinhuError as error:
        yield Check("database", False, str(error))
        return
    where = "another server" if settings.database_url else "embedded"
    yield Check("database", number >= OLDEST_POSTGRESQL, f"PostgreSQL {number}, {where}; needs {OLDEST_POSTGRESQL}")
    # Under ctype C the database takes Chinese letters for signs: search by similarity finds nothing.
    yield Check("characters", encoding == "UTF8" and ctype not in ("C", "POSIX"), f"{encoding}, {ctype}; needs UTF8")
    if not settings.database_url:
        yield Check("tuning", True, _tuning(settings))
    if not is_owners:  # a worker's: it makes nothing, and is asked what a load needs
        yield zone
        yield _guarded("caller key", lambda: key_ring.told(settings))
        return
    yield Check("migrations", not missing, f"to apply: {', '.join(missing)}" if missing else "all applied")
    yield zone
    if not missing:
        yield _guarded("caller key", lambda: key_ring.told(settings))
    if not missing:
        yield _guarded("backup", lambda: _backup(settings))
        yield _guarded("months apart", lambda: _months(settings))
        yield _guarded("log archive", lambda: _archive(settings))
        yield _guarded("standbys", lambda: _standbys(settings))
        yield _guarded("readers", lambda: _readers(settings))
        yield _guarded("incidents", lambda: _incidents(settings))
    lacking = [what for what, is_so in stands.items() if not is_so]
    shared = settings.database_url and not settings.work_url
    told = [*lacking, *(["tasks enter as the owner: set MINHU_WORK_URL"] if shared else [])]
    # A login that is too much, or a right that only the server's keeper can take away, stops nothing tonight.
    yield Check("rights", RIGHTS[0] not in lacking, "; ".join(told) or "each login has what it needs")


def _tuning(settings: Settings) -> str:
    """Whether the server was started on the machine that there is now. It runs all the same."""
    if changes := tuned.outdated(settings):
        return f"{changes} after minhu down && minhu up"
    of = tuned.here(settings)
    return f"as reckoned for {of.cores} cores, {of.memory_mb} MB (minhu tune)"


def _incidents(settings: Settings) -> str:
    """What stands now that somebody is told of. It is no fault of the installation: each has its mend."""
    with database.connect(settings) as connection:
        now = database.one(connection, "select clock_timestamp()")[0]
        counts = Counter(one.kind for one in faults(connection, settings, now))
    told = ", ".join(f"{INCIDENT[kind].en} {number}" for kind, number in counts.items())
    return f"{told}: minhu incidents list" if told else "none"


def _backup(settings: Settings) -> str:
    """When the last backup was taken. That there is none stops nothing tonight: it is told all the same."""
    with database.connect(settings) as connection:
        newest = database.one(connection, "select max(taken_at) from audit.backup")[0]
    if newest is None:
        return "none was ever taken: minhu backup --to … --keys-to …"
    age = datetime.now(settings.zone) - newest
    if age > BACKUP:
        raise Refused(f"the last one is of {newest.astimezone(settings.zone):%Y-%m-%d %H:%M}: minhu backup")
    return f"of {newest.astimezone(settings.zone):%Y-%m-%d %H:%M}"


def _months(settings: Settings) -> str:
    """Whether the files of months that are out of staging are there: nobody else has those rows."""
    with database.connect(settings) as connection:
        out = [one for one in months(connection) if one.state == "detached"]
    store = store_of(settings)
    lost = [f"{one.month_on:%Y-%m}" for one in out if not all(store.find(file.sha256) for file in one.files)]
    if lost:
        raise Refused(f"files of {', '.join(lost)} are not in {store.told}: restore them from a backup")
    return f"{len(out)}, with all their files" if out else "none"


def _archive(settings: Settings) -> str:
    """Whether the log is archived, by which the database comes back to any moment."""
    with database.connect(settings) as connection:
        mode, last, failed = database.one(
            connection,
            "select current_setting('archive_mode'), last_archived_time, last_failed_time from pg_stat_archiver",
        )
    if mode == "off":
        return "off: a backup brings back its own moment alone (minhu backup --archive-to …)"
    if failed and (last is None or failed > last):
        raise Refused(
            f"it fails since {failed.astimezone(settings.zone):%Y-%m-%d %H:%M}: is its folder there, and not full?"
        )
    return f"last at {last.astimezone(settings.zone):%Y-%m-%d %H:%M}" if last else "nothing was archived yet"


def _standbys(settings: Settings) -> str:
    """Servers that follow this one, and log that is kept for one that does not."""
    with database.connect(settings) as connection:
        following, lag, lost, kept, gone, keeps = map(int, database.one(connection, _FOLLOWING))
    if gone:
        raise Refused(f"of {gone} the log is gone: make them anew (docs/operations.md, Readers apart)")
    if lost and kept > KEPT_LOG_GB * 1e9:
        raise Refused(
            f"{lost} take no log, {kept / 1e9:.0f} GB are kept for them: mend them, or pg_drop_replication_slot"
        )
    if not following and not lost:
        return "none"
    told = f"{following} follow, the last {lag / 1e6:.0f} MB behind; {lost} take no log"
    return told if keeps >= 0 else f"{told}; what they do not take fills the disk: set max_slot_wal_keep_size"


def _readers(settings: Settings) -> str:
    """Whether who only reads is served by a standby that follows. Raises Refused where it is away or behind."""
    with database.connect(settings) as connection:
        found = database.standing(settings, connection)
    if found and found.trouble:
        raise Refused(f"the standby {found.en}: minhu standby status")
    return f"the standby {found.en}" if found else "on the primary"


_FOLLOWING = """
select
    (select count(*) from pg_stat_replication),
    (
        select coalesce(max(pg_wal_lsn_diff(sent_lsn, replay_lsn)), 0) from pg_stat_replication
    ),
    (select count(*) from pg_replication_slots where not active),
    (
        select coalesce(max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)), 0)
        from pg_replication_slots where not active
    ),
    (select count(*) from pg_replication_slots where wal_status = 'lost'),
    (select setting::bigint from pg_settings where name = 'max_slot_wal_keep_size')
"""


RIGHTS = (
    "the keeper cannot end sessions: grant pg_signal_backend and pg_read_all_stats to the owner",
    "commands enter as a superuser: make an owner who is none",
    "everybody may take advisory locks: revoke execute on pg_advisory_lock… from public",
    "everybody may write large objects: revoke execute on lo_create, lo_from_bytea from public",
    "everybody may make temporary tables: revoke temporary on the database from public",
    "a restrictive row policy hides rows from builds: exempt minhu_work from it",
)
_IS_OWNERS = "select coalesce(has_table_privilege(to_regclass('public.minhu_migration'), 'select'), true)"
_RIGHTS = """
select
    pg_has_role(current_user, 'pg_signal_backend', 'usage') and pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
    not (select rolsuper from pg_roles where rolname = current_user),
    not has_function_privilege('public', 'pg_advisory_lock(bigint)', 'execute'),
    not has_function_privilege('public', 'lo_from_bytea(oid, bytea)', 'execute'),
    not has_database_privilege('public', current_database(), 'temporary'),
    (select coalesce(bool_or(rolbypassrls), false) from pg_roles where rolname = 'minhu_work') or not exists (
        select from pg_policy
        where not polpermissive and polroles && array[0, coalesce(to_regrole('minhu_work'), 0)]::oid[]
    )
"""
