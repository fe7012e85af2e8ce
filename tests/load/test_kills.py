"""Loaders killed at every step, then run again, for every kind of source: no row lost, none doubled, nothing astray.

``MINHU_KILL_SEED`` gives the seed of the moments and delays; a test that fails prints the one it drew.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import takewhile
from pathlib import Path

import asyncssh
import psycopg
import pytest

from minhu import database
from minhu.errors import Retryable
from minhu.load import batch, load_delivery
from minhu.settings import PROJECT_ROOT, Settings
from tests import given
from tests.load.kills import FILES, KINDS, START, STEPS, Ended, Nursery, Order, Step, steps_of
from tests.sources import test_sftp as ssh
from tests.sources.web import Answer, Web

DAY = date(2026, 10, 12)
SEED = int(os.environ.get("MINHU_KILL_SEED") or random.SystemRandom().randrange(1_000_000))
LATEST = 0.02
"""Seconds after which, at the latest, a loader is killed that stands at its step or went on from it."""
KEYS = {"MINHU_CALLER_KEY": "00" * 32, "MINHU_CALLER_KEYS_OLD": "11" * 32}  # the same tokens always, and links to write
NAMES = ("cases_20261012a.csv", "cases_20261012b.csv")
MANY = [
    {"工单编号": str(at) if at % 50 else "", "来电号码": f"138{at % 99:08}", "id": at} for at in (*range(1, 400), 9, 8)
]
FEW = [{"工单编号": f"B{at}", "来电号码": f"139{at:08}"} for at in range(20)] + [{"工单编号": ""}]

# What a load leaves, without the clock and the numbers that a killed load uses up.
STATE = {
    "batches": "select (to_jsonb(b) - '{batch_id,order_key,started_at,loaded_at}'::text[])::text, order_key - batch_id"
    " from audit.batch as b order by 1",
    "rows": "select source_name, (to_jsonb(r) - 'batch_id')::text from staging.case_record as r"
    " left join audit.batch using (batch_id) order by 1, 2",
    "rejects": "select source_name, (to_jsonb(r) - 'batch_id')::text from restricted.rejected_row as r"
    " left join audit.batch using (batch_id) order by 1, 2",
    "cursor": "select feed_code, delivery, cursor_value, source_name from audit.source_cursor"
    " left join audit.batch using (feed_code, delivery, batch_id)",
    "links": "select earlier_token, earlier_key_id, current_token from restricted.caller_link order by 1",
    "changed links": "select earlier_token, current_token from restricted.caller_link_change order by 1",
}
# Batches whose rows are not all there, and rows of no batch.
HALF = """
select batch_id, status, (received_rows, staged_rows, rejected_rows, staged.count, rejected.count)::text
from audit.batch
full join (select batch_id, count(*) from staging.case_record group by 1) as staged using (batch_id)
full join (select batch_id, count(*) from restricted.rejected_row group by 1) as rejected using (batch_id)
where
    status is distinct from 'loaded'
    or staged_rows <> coalesce(staged.count, 0)
    or rejected_rows <> coalesce(rejected.count, 0)
"""
STRAY_LINKS = """
select count(*) from restricted.caller_link
where current_token not in (select caller_token from staging.case_record)
"""
OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
LOCKS = """
select count(*) from pg_locks
where
    pid <> pg_backend_pid()
    and relation = 'audit.house_lock'::regclass
    and database = (select oid from pg_database where datname = current_database())
"""
EMPTY = (
    "restricted.rejected_row",
    "audit.source_cursor",
    "audit.attempt",
    "audit.batch",
    "staging.case_record",
    "restricted.caller_link",
    "restricted.caller_link_change",
    "restricted.home",
    "restricted.known_key",
)
AT_RANDOM = {"home-id", ".zone"}
"""Files that name a home and its landing zone: each is made at random once."""


# -- senders, one of each kind -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sender:
    """How the delivery is declared, and what a loader needs to know beside. ``give`` lays out the files."""

    source: dict
    format: dict | None = None
    env: dict | None = None
    body: Path | None = None
    give: Callable[[Path], None] = lambda drop: None
    keeps: Callable[[Path], list[Path]] = lambda drop: []
    """The sender's files, wherever they are now."""
    served: Callable[[], int] = lambda: 0
    """Bytes that the sender's server gave so far."""


def csv_files(folder: Path) -> None:
    for name, rows in zip(NAMES, (MANY, FEW), strict=True):
        given.case_file(folder / name, rows)


@contextmanager
def drop(folder: Path, scratch: Callable) -> Iterator[Sender]:
    source = {"type": "drop_folder", "path": "h1/cases_{date}*.csv", "settle_seconds": 0, "archive": "archive"}
    yield Sender(source, give=lambda drop: csv_files(drop / "h1"), keeps=lambda drop: files_of(drop))


@contextmanager
def sftp(folder: Path, scratch: Callable) -> Iterator[Sender]:
    csv_files(folder / "remote" / "out")
    with ssh.Server(folder / "remote", asyncssh.generate_private_key("ssh-ed25519")) as server:
        env = {"MINHU_SECRET_BUREAU": ssh.PASSWORD}
        keeps = lambda drop: files_of(folder / "remote")  # noqa: E731
        yield Sender(ssh.source(server), env=env, keeps=keeps, served=lambda: server.served)


@contextmanager
def object_store(folder: Path, scratch: Callable) -> Iterator[Sender]:
    csv_files(folder / "bucket")
    source = {"type": "object", "url": f"file://{folder}/bucket/cases_{{date}}*.csv", "settle_seconds": 0}
    yield Sender(source, keeps=lambda drop: files_of(folder / "bucket"))


@contextmanager
def rest(folder: Path, scratch: Callable) -> Iterator[Sender]:
    def answer(asked):
        each_once = records()[:399]  # a count of rows is met by rows of different cases
        rows = [row for row in each_once if row["id"] > int(asked.params["since"])]
        page = 100 * (int(asked.params["page"]) - 1)
        return Answer({"items": rows[page : page + 100], "count": str(len(rows))})

    with Web() as web:
        web.answer = answer
        cursor = {"field": "id", "format": "number", "param": "since", "initial": "0"}
        how = {"records": "items", "total": "count", "pagination": {"type": "page"}, "cursor": cursor}
        yield Sender({"type": "rest", "url": f"{web.url}/cases"} | how, {"type": "json"})


@contextmanager
def open311(folder: Path, scratch: Callable) -> Iterator[Sender]:
    def element(row):
        return f"<request>{''.join(f'<{name}>{value}</{name}>' for name, value in row.items())}</request>"

    def answer(asked):
        page = 100 * (int(asked.params["page"]) - 1)
        rows = "".join(element(row) for row in records()[page : page + 100])
        return Answer(f"<service_requests>{rows}</service_requests>", type="text/xml")

    with Web() as web:
        web.answer = answer
        source = {"type": "open311", "endpoint": web.url, "format": "xml", "paged": True, "lookback_days": 0}
        yield Sender(source, {"type": "xml", "record": "request"})


@contextmanager
def sql(folder: Path, scratch: Callable) -> Iterator[Sender]:
    address = scratch().database_url
    with psycopg.connect(address) as connection:
        columns = ", ".join(f'"{name}" text' for name in given.COLUMNS)
        sent = f"select * from jsonb_to_recordset(%s) as row ({columns}, id bigint)"
        connection.execute(f"create table sent as {sent}", [json.dumps(records())])
    cursor = {"field": "id", "format": "number", "initial": "0"}
    query = "select * from sent where id > :cursor order by id"
    source = {"type": "sql", "secret": "other", "query": query, "cursor": cursor}
    yield Sender(source, {"type": "csv"}, {"MINHU_SECRET_OTHER": address})


@contextmanager
def push(folder: Path, scratch: Callable) -> Iterator[Sender]:
    yield Sender({"type": "push"}, body=given.case_file(folder / "body.csv", MANY))


def records() -> list[dict]:
    """Rows with a number of their own, as an interface or a table gives them."""
    return [given.ROW | row | {"id": at} for at, row in enumerate(MANY, 1)]


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def contents(paths: list[Path]) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


SENDERS = dict(zip(KINDS, (drop, sftp, object_store, rest, open311, sql, push), strict=True))


# -- one installation for each kind, and what an undisturbed load leaves there -----------------------------------------


class Hotline:
    def __init__(self, kind: str, city: Settings, sender: Sender, nursery: Nursery):
        self.kind, self.city, self.sender, self._nursery = kind, city, sender, nursery
        self.database = psycopg.connect(city.database_url, autocommit=True)
        self.begin()
        self._sent = contents(sender.keeps(city.drop))
        [undisturbed] = self.load()
        assert undisturbed.outcomes == ["loaded"] * (2 if kind in FILES else 1), undisturbed.error
        self._expected, self.seconds = self.state(), undisturbed.seconds

    def begin(self) -> None:
        """As if nothing had ever come, and the sender's files anew."""
        for table in EMPTY:
            self.database.execute(f"delete from {table}")
        for path in sorted(self.city.home.rglob("*"), reverse=True):
            path.unlink() if path.is_symlink() or not path.is_dir() else path.rmdir()
        self.sender.give(self.city.drop)

    def order(self, **how) -> Order:
        return Order(self.kind, self.city, env=self.sender.env, body=self.sender.body, **how)

    def load(self, *orders: Order, at_once: bool = False) -> list[Ended]:
        return self._nursery.run(*(orders or [self.order()]), at_once=at_once)

    def state(self) -> dict:
        tables = {name: self.database.execute(query).fetchall() for name, query in STATE.items()}
        kept = [path for path in files_of(self.city.home) if path.name not in AT_RANDOM]
        home = {str(path.relative_to(self.city.home)): contents([path]) for path in kept}
        return tables | {"files": home}

    def assert_nothing_half_way(self, fewest: int, most: int) -> None:
        """After a kill: whole batches or none, whole files under their names, the sender's files once."""
        assert self.database.execute(HALF).fetchall() == []
        assert self.database.execute(STRAY_LINKS).fetchall() == [(0,)], "links come with their rows"
        [[batches]] = self.database.execute("select count(*) from audit.batch").fetchall()
        assert fewest <= batches <= most
        for path in self.city.landing.glob("??/*"):
            assert contents([path]) == [path.name], "a landed file is whole"
        for folder, marks in ((self.city.landing, (".arriving-",)), (self.city.transit, (".fetching-", ".opened-"))):
            astray = [path.name for path in folder.glob("*") if len(path.name) > 2 and path.name not in AT_RANDOM]
            assert all(name.startswith(marks) for name in astray), astray
        assert contents(self.sender.keeps(self.city.drop)) == self._sent

    def age_what_is_astray(self) -> None:
        """Makes it old enough for the next load's sweep."""
        for folder in (self.city.landing, self.city.transit):
            for path in folder.glob(".*-*"):
                os.utime(path, (0, 0))

    def assert_as_undisturbed(self) -> None:
        found = self.state()
        for name, expected in self._expected.items():
            assert found[name] == expected, name
        assert contents(self.sender.keeps(self.city.drop)) == self._sent
        [[attempts]] = self.database.execute("select count(*) from audit.attempt").fetchall()
        assert attempts <= (2 if self.kind in FILES else 1)
        until = time.monotonic() + 10
        while (left := [self.database.execute(query).fetchone()[0] for query in (OTHERS, LOCKS)]) != [0, 0]:
            assert time.monotonic() < until, f"sessions and locks left: {left}"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def hotline(scratch, tmp_path_factory) -> Iterator[Callable[[str], Hotline]]:
    print(f"MINHU_KILL_SEED={SEED}")
    made: dict[str, Hotline] = {}
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery(KEYS | {"POLARS_MAX_THREADS": "2"}))

        def of(kind: str) -> Hotline:
            if kind not in made:
                folder = tmp_path_factory.mktemp(kind)
                sender = stack.enter_context(SENDERS[kind](folder, scratch))
                changes = {"source": sender.source, "known_columns": ["备注", "id"]}
                delivery = given.CASES | changes | ({"format": sender.format} if sender.format else {})
                city = scratch(given.config(folder / "config", [given.feed(deliveries=[delivery])]))
                made[kind] = Hotline(kind, city, sender, nursery)
                stack.callback(made[kind].database.close)
            return made[kind]

        yield of


def kill(hotline: Hotline, order: Order) -> bool:
    """Kills a loader, runs it again, and compares. Whether it died; one that was killed too late counts for nothing."""
    hotline.begin()
    [ended] = hotline.load(order)
    told = f"{order} → {ended}, MINHU_KILL_SEED={SEED}"
    assert ended.is_reached, told
    assert ended.error is None, told
    is_open = order.fate != "dies" or order.how == "committing"
    hotline.assert_nothing_half_way(ended.commits, 9 if is_open else ended.commits)
    hotline.age_what_is_astray()
    [again] = hotline.load()
    assert again.error is None and set(again.outcomes) <= {"loaded", "already_loaded", "nothing_delivered"}, told
    hotline.assert_as_undisturbed()
    return ended.is_killed


def at(hotline: Hotline, step: Step, draw: random.Random, **how) -> Order:
    call, delay = draw.choice(step.moments(hotline.kind)), draw.uniform(0, LATEST)
    return hotline.order(how=step.how, place=step.place, call=call, delay=delay, **how)


def sample() -> dict[str, list[Step]]:
    """Every step once, and every kind about as often as the others."""
    chosen: dict[str, list[Step]] = {kind: [] for kind in KINDS}
    for name in dict.fromkeys(step.name for step in STEPS):
        fits = [(kind, step) for kind in KINDS for step in steps_of(kind) if step.name == name]
        kind, step = min(fits, key=lambda fit: len(chosen[fit[0]]))
        chosen[kind].append(step)
    return chosen


def test_the_matrix_holds_every_step_of_every_kind():
    assert sum(len(steps) for steps in sample().values()) >= 25 and all(len(steps) >= 3 for steps in sample().values())
    assert sum(len(step.moments(kind)) for kind in KINDS for step in steps_of(kind)) >= 200


SOME = [kind if kind in ("drop", "rest") else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS]


@pytest.mark.parametrize("kind", SOME)
def test_a_loader_killed_at_a_step_loses_and_doubles_nothing(hotline, kind):
    draw, source = random.Random(f"{SEED} {kind}"), hotline(kind)
    for step in sample()[kind]:
        assert kill(source, at(source, step, draw, fate="dies")), step


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_killed_at_any_step_loses_and_doubles_nothing(hotline, kind):
    draw, source = random.Random(f"{SEED} {kind} all"), hotline(kind)
    for step in steps_of(kind):
        for call in step.moments(kind):
            assert kill(source, replace(at(source, step, draw, fate="dies"), call=call)), (step, call)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_killed_on_its_way_loses_and_doubles_nothing(hotline, kind):
    """It goes on from its step and is killed a little later, in the middle of whatever it then does."""
    draw, source = random.Random(f"{SEED} {kind} later"), hotline(kind)
    orders = [at(source, step, draw, fate="dies later") for step in steps_of(kind) if step.how != "committing"]
    assert sum(kill(source, order) for order in orders) >= len(orders) / 2


def at_any_moment(hotline: Hotline, kills: int, draw: random.Random) -> int:
    """How many died; what came too late tells how long a load takes by now, which depends on who else is busy."""
    longest, died = 1.2 * hotline.seconds, 0
    for number in range(kills):
        when = longest * ((0.618 * number + draw.random() / kills) % 1)
        if kill(hotline, hotline.order(place=START[hotline.kind], fate="dies later", delay=when)):
            died += 1
        else:
            longest = max(when, hotline.seconds / 4)
    return died


@pytest.mark.parametrize("kind", ["drop", pytest.param("rest", marks=pytest.mark.long)])
def test_a_loader_killed_at_any_moment_loses_and_doubles_nothing(hotline, kind):
    assert at_any_moment(hotline(kind), 6, random.Random(f"{SEED} {kind} any")) >= 2


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_loaders_killed_at_any_moment_lose_and_double_nothing(hotline, kind):
    assert at_any_moment(hotline(kind), 20, random.Random(f"{SEED} {kind} many")) >= 8


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_killed_again_and_again_loses_and_doubles_nothing(hotline, kind):
    """What each of them leaves behind is there when the next one runs."""
    draw, source = random.Random(f"{SEED} {kind} again"), hotline(kind)
    source.begin()
    for step in takewhile(lambda step: step.name != "in commit", steps_of(kind)):
        order = replace(at(source, step, draw, fate="dies"), call=draw.choice(step.calls))
        [ended] = source.load(order)
        assert ended.is_killed and ended.is_reached, (order, ended)
        source.assert_nothing_half_way(0, 0)
    source.age_what_is_astray()
    [last] = source.load()
    assert last.outcomes == ["loaded"] * (2 if kind in FILES else 1), last.error
    source.assert_as_undisturbed()


def test_a_killed_download_goes_on_where_it_broke_off(hotline):
    source = hotline("sftp")
    source.begin()
    [step] = [step for step in steps_of("sftp") if step.name == "in fetch"]
    [ended] = source.load(source.order(how=step.how, place=step.place, call=4, fate="dies"))
    [partial] = files_of(source.city.home / "partial")
    assert ended.is_killed and partial.stat().st_size == 3 * (1 << 13)
    before, whole = source.sender.served(), sum(path.stat().st_size for path in source.sender.keeps(source.city.drop))
    [again] = source.load()
    assert again.outcomes == ["loaded", "loaded"]
    assert source.sender.served() - before == whole - 3 * (1 << 13), "what had come did not come again"
    source.assert_as_undisturbed()


# -- two loads at once -------------------------------------------------------------------------------------------------


def races() -> Iterator:
    for kind in KINDS:
        for name, at_once in (("before judging", True), ("before judging", False), ("after fetch", False)):
            marks = [] if at_once else [pytest.mark.long]
            how = "at once" if at_once else "in turn"
            yield pytest.param(kind, name, at_once, marks=marks, id=f"{kind}: {how} {name}")


@pytest.mark.parametrize(("kind", "name", "at_once"), list(races()))
def test_of_two_loads_of_one_delivery_one_wins_and_the_other_does_nothing(hotline, kind, name, at_once):
    """Both come to the step before either goes on."""
    source = hotline(kind)
    [step] = [step for step in steps_of(kind) if step.name == name]
    source.begin()
    ends = source.load(*[source.order(how=step.how, place=step.place)] * 2, at_once=at_once)
    assert all(ended.is_reached and ended.error is None for ended in ends), [ended.error for ended in ends]
    outcomes = Counter(outcome for ended in ends for outcome in ended.outcomes)
    assert outcomes["loaded"] == (2 if kind in FILES else 1)
    source.assert_as_undisturbed()


# -- a server that goes, a disk that is full ---------------------------------------------------------------------------


@pytest.fixture
def city(scratch, tmp_path):
    delivery = given.CASES | {"source": given.CASES["source"] | {"settle_seconds": 0, "archive": "archive"}}
    return scratch(given.config(tmp_path / "config", [given.feed(deliveries=[delivery])]))


def world(city):
    return {
        **os.environ,
        "MINHU_HOME": str(city.home),
        "MINHU_CONFIG": str(city.config),
        "MINHU_DATABASE_URL": city.database_url,
        "POLARS_MAX_THREADS": "1",
    }


def query(city, text):
    with database.connect(city) as connection:
        return connection.execute(text).fetchall()


def test_a_server_that_goes_away_mid_copy_leaves_nothing_and_the_next_run_loads(city, monkeypatch):
    rows = [{"工单编号": str(at)} for at in range(50)]
    given.case_file(city.drop / "h1" / "cases_20261012.csv", rows)
    real = batch.copy_rows

    def copy_and_lose_the_connection(connection, table, frame):
        real(connection, table, frame)
        with psycopg.connect(city.database_url, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        real(connection, table, frame)

    monkeypatch.setattr(batch, "copy_rows", copy_and_lose_the_connection)
    with pytest.raises((Retryable, psycopg.OperationalError)):
        load_delivery("h1", "cases", DAY, settings=city)
    assert query(city, "select count(*) from audit.batch") == [(0,)]
    monkeypatch.setattr(batch, "copy_rows", real)
    assert [result.staged for result in load_delivery("h1", "cases", DAY, settings=city)] == [50]


def test_a_full_disk_on_the_landing_zone_is_told_and_leaves_nothing(city):
    """The loader runs with a limit on the size of files it may write, as a full disk would stop it."""
    given.case_file(city.drop / "h1" / "cases_20261012.csv", [{"工单编号": str(at)} for at in range(2000)])
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from minhu.cli import main; main(['load', 'h1', '--date', '2026-10-12'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", limited], env=world(city), cwd=PROJECT_ROOT, check=False, capture_output=True, text=True
    )
    assert told.returncode == 1 and "Traceback" not in told.stderr and "cannot be kept" in told.stderr, told.stderr
    assert query(city, "select count(*) from audit.batch") == [(0,)]
    assert not [path for path in city.landing.rglob("*") if path.is_file() and path.name not in AT_RANDOM]
    assert [result.outcome for result in load_delivery("h1", "cases", DAY, settings=city)] == ["loaded"]


def test_an_error_of_the_database_quotes_no_row(city):
    given.case_file(city.drop / "h1" / "cases_20261012.csv", [{"主要内容": "不该出现在日志里的话"}])
    with database.connect(city) as connection:
        connection.execute("alter table staging.case_record add constraint nothing_fits check (case_no = 'x')")
    with pytest.raises(Exception, match="does not take these rows: CheckViolation") as failure:
        load_delivery("h1", "cases", DAY, settings=city)
    assert "不该出现" not in str(failure.value) and failure.value.__cause__ is None


def test_a_file_that_its_sender_replaces_during_the_load_is_not_archived_unread(city, monkeypatch):
    path = given.case_file(city.drop / "h1" / "cases_20261012.csv", [{"工单编号": "1"}])
    real = batch.commit

    def commit_while_a_correction_arrives(*arguments, **how):
        result = real(*arguments, **how)
        given.case_file(path, [{"工单编号": "2"}])
        return result

    monkeypatch.setattr(batch, "commit", commit_while_a_correction_arrives)
    load_delivery("h1", "cases", DAY, settings=city)
    monkeypatch.setattr(batch, "commit", real)
    load_delivery("h1", "cases", DAY, settings=city)
    assert query(city, "select case_no from staging.case_record order by 1") == [("1",), ("2",)]
