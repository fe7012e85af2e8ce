"""`make cluster`: a simulated day by two workers, of which one dies in the middle of a load, and the broker too.

Each of the feeds is loaded by its DAG, handed by the broker to the workers, and the warehouse is built. Then it is
proved: that each row of each file is accounted for against a count by another hand, that no task is stuck and no batch
doubled, and that one caller is one whichever worker loaded him. Exits 1 where something does not hold.
"""

import csv
import io
import logging
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from bench.counting import count_records
from bench.machines import Cluster, Worker, cluster
from minhu import database
from minhu.errors import MinhuError, Retryable
from minhu.feeds import Delivery, Feed, load_feeds
from minhu.feeds.formats import Csv
from minhu.feeds.sources.dated import dated
from minhu.landing.store import sha256_of, store_of
from minhu.services.airflow_api import FINISHED
from minhu.settings import PROJECT_ROOT, Settings
from minhu.simulate import write_city
from minhu.warehouse.reconcile import reconcile

Tell = Callable[[str], None]
DAY, CASES, SEED = date(2026, 10, 20), 1500, 7
PHONE = "13800138000"
"""Of the caller who calls every hotline."""
WITHIN = 1500
"""Seconds for the day: a dead worker's loads are tried again after four to six minutes, lost messages after six."""
BROKER_AWAY = 10
"""Seconds."""
SILENT_FOR = 30
"""Seconds, while it waits for what was lost to be missed."""

Run = tuple[str, str]
"""DAG and run."""


@dataclass(frozen=True)
class Proof:
    """What must hold, what was found, and whether it holds."""

    what: str
    found: str
    is_so: bool


@dataclass(frozen=True)
class Sent:
    """What was sent, counted here. ``files``: rows, bad ones and copies by path; ``called``: the cases of the one who
    called every hotline, by feed."""

    files: dict[str, tuple[int, int, int]]
    called: dict[str, set[str]]


@dataclass(frozen=True)
class Death:
    """A worker that was killed, and those of its processes that had written rows and not committed them."""

    worker: Worker
    pids: tuple[int, ...]


# The day


def simulate(drop: Path, config: Path, feeds: Sequence[Feed], cases: int = CASES) -> Sent:
    """Writes the files of the day. One caller calls every hotline that sends phones in CSV."""
    drop.mkdir(parents=True, exist_ok=True)
    written = write_city(feeds, config, drop, DAY, 1, cases, SEED)
    called = {}
    for feed in feeds:
        for delivery in feed.deliveries:
            if isinstance(delivery.format, Csv) and "caller_phone" in delivery.columns:
                source: Any = delivery.source  # one with a path: the simulator writes files
                called[feed.code] = _call(drop / dated(source.path, DAY), delivery, delivery.format)
    formats = {(feed.code, one.name): one.format for feed in feeds for one in feed.deliveries}
    files = {}
    for one in written.files:
        fmt = formats[one.feed, one.delivery]
        rows = count_records((drop / one.path).read_bytes(), fmt.type, fmt)
        files[one.path] = (rows, one.bad_rows, one.duplicate_rows)
    return Sent(files, {feed: cases for feed, cases in called.items() if cases})


def _call(path: Path, delivery: Delivery, fmt: Csv) -> set[str]:
    """Has the first caller of a file be ours, in all rows that are his; the numbers of his cases."""
    encoding = "gb18030" if fmt.encoding == "gb18030" else "utf-8-sig"
    number, phone = delivery.mapping("case_no").source or "", delivery.mapping("caller_phone").source or ""
    text = path.read_bytes().decode(encoding)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=fmt.delimiter))
    first = next((row[phone] for row in rows if re.fullmatch(r"1\d{10}", row.get(phone) or "")), None)
    if first is None:
        return set()
    path.write_bytes(text.replace(first, PHONE).encode(encoding))
    return {row[number] for row in rows if row[phone] == first and row.get(number)}


def run_feeds(found: Cluster, feeds: Sequence[Feed]) -> list[Run]:
    client, conf = found.main.airflow, {"business_date": DAY.isoformat()}
    return [(f"feed_{feed.code}", client.trigger(f"feed_{feed.code}", conf)) for feed in feeds]


def finished(found: Cluster, runs: Sequence[Run]) -> Counter[str]:
    return Counter(state for state in found.main.airflow.states(runs).values())


def wait_for(found: Cluster, runs: Sequence[Run], enough: int, within: float, tell: Tell) -> Counter[str]:
    """Until so many of the runs have ended. Raises Retryable after ``within`` seconds, naming what has not."""
    deadline, said_at, said = time.monotonic() + within, 0.0, -1
    while True:
        tally = finished(found, runs)
        done, waited = sum(tally[state] for state in FINISHED), time.monotonic() - said_at
        if done >= enough or waited > SILENT_FOR or (waited > 5 and done != said):
            tell(f"{done} of {len(runs)} runs have ended, {tally['failed']} of them failed")
            said_at, said = time.monotonic(), done
        if done >= enough:
            return tally
        if time.monotonic() > deadline:
            states = found.main.airflow.states(runs)
            named = ", ".join(f"{dag} ({state})" for (dag, _), state in sorted(states.items()) if state not in FINISHED)
            raise Retryable(f"not ended within {within:.0f} s: {named}")
        time.sleep(0.5)


# Death


def kill_in_a_load(settings: Settings, workers: Sequence[Worker], within: float) -> Death:
    """Kills one of the workers at a moment when a load of it has written rows and not committed them.

    The process is halted first and then looked at again, so that it cannot have committed. Raises Retryable where no
    such moment comes.
    """
    deadline = time.monotonic() + within
    with database.connect(settings, autocommit=True) as connection:
        while time.monotonic() < deadline:
            for one in workers:
                own = {process.pid for process in one.processes()}
                halted = _halt(connection, own)
                if halted:
                    one.kill()
                    return Death(one, tuple(sorted(halted)))
            time.sleep(0.005)
    raise Retryable(f"no load has written anything within {within:.0f} s")


def _halt(connection: psycopg.Connection, own: set[int]) -> set[int]:
    """Those of the processes that were in a transaction that had written, and stand still in it now."""
    writing = _writing(connection, own)
    for pid in writing:
        with suppress(psutil.Error):
            psutil.Process(pid).suspend()
    halted = writing & _writing(connection, own) if writing else set()  # committed meanwhile: no transaction now
    for pid in writing - halted:
        with suppress(psutil.Error):
            psutil.Process(pid).resume()
    return halted


def _writing(connection: psycopg.Connection, own: set[int]) -> set[int]:
    """Those of the processes whose transaction in the warehouse has written something."""
    ports = {port for (port,) in connection.execute(_WRITING)}
    found = set()
    for pid in own if ports else ():
        with suppress(psutil.Error):
            if ports & {one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.laddr}:
                found.add(pid)
    return found


_WRITING = """
select client_port from pg_stat_activity
where datname = current_database() and usename = 'minhu_work' and backend_xid is not null and client_port > 0
"""


# Proofs


def prove(found: Cluster, runs: Sequence[Run], sent: Sent) -> list[Proof]:
    """What must hold after the day, whoever died."""
    settings, tasks = found.main.settings, tasks_of(found, runs)
    with database.connect(settings) as connection:
        return [
            _no_task_is_stuck(tasks),
            _another_took_it_up(found, tasks),
            _every_row_is_accounted_for(connection, sent),
            _the_statement_says_the_same(settings),
            _no_batch_is_doubled(connection),
            _landed_once(connection, settings),
            _one_caller_is_one(connection, found, tasks, sent.called),
        ]


def tasks_of(found: Cluster, runs: Sequence[Run]) -> list[dict]:
    """The tasks of the runs as Airflow tells them."""
    client = found.main.airflow
    return [
        task
        for dag, run in runs
        for task in client.get(f"dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances")["task_instances"]
    ]


def ended_by(one: Worker, tasks: Sequence[dict]) -> set[str]:
    """The feeds of which a worker made the attempt that succeeded: it has the log of it."""
    made = one.attempts()
    ended = ((task["dag_id"], task["dag_run_id"], task["task_id"], task["try_number"]) for task in tasks)
    return {dag.removeprefix("feed_") for dag, *rest in ended if (dag, *rest) in made}


def _no_task_is_stuck(tasks: Sequence[dict]) -> Proof:
    tally = Counter(task["state"] for task in tasks)
    told = ", ".join(f"{number} {state}" for state, number in sorted(tally.items()))
    return Proof("no task is stuck, none has failed", told, tally["success"] == len(tasks))


def _another_took_it_up(found: Cluster, tasks: Sequence[dict]) -> Proof:
    """Or nobody died in a load, and nothing is proved."""
    again = [task["dag_id"] for task in tasks if task["try_number"] > 1 and task["state"] == "success"]
    shares = " + ".join(str(len(ended_by(one, tasks))) for one in found.workers)
    return Proof("what the dead one had begun was taken up", f"{len(again)} tried again; feeds {shares}", bool(again))


def _every_row_is_accounted_for(connection: psycopg.Connection, sent: Sent) -> Proof:
    """Each file as it was counted here, against its batch, its rows in staging and those that were rejected."""
    booked = {name: figures for name, *figures in connection.execute(_BOOKED)}
    wrong = [
        path
        for path, (rows, bad, twice) in sent.files.items()
        if booked.get(path) != [rows, rows - bad - twice, bad, twice, rows - bad - twice, bad]
    ]
    rows = sum(rows for rows, _, _ in sent.files.values())
    told = f"{len(sent.files)} files, {rows:,} rows" + (f"; not: {', '.join(wrong[:5])}" if wrong else "")
    return Proof("every row is accounted for", told, not wrong and booked.keys() == sent.files.keys())


_BOOKED = """
select source_name, received_rows, staged_rows, rejected_rows, duplicate_rows,
    (select count(*) from staging.case_record as s where s.batch_id = b.batch_id)
    + (select count(*) from staging.case_event as s where s.batch_id = b.batch_id)
    + (select count(*) from staging.callback as s where s.batch_id = b.batch_id),
    (select count(*) from audit.rejected_row as s where s.batch_id = b.batch_id)
from audit.batch as b where status not in ('refused', 'superseded')
"""


def _the_statement_says_the_same(settings: Settings) -> Proof:
    """What `minhu reconcile` tells the city."""
    statement = reconcile(settings, DAY)
    tally = Counter(line.status for line in statement.lines)
    told = ", ".join(f"{number} {status}" for status, number in tally.items())
    return Proof("the statement of the day is whole", told, statement.is_whole)


def _no_batch_is_doubled(connection: psycopg.Connection) -> Proof:
    [(batches, twice, refused)] = connection.execute(_TWICE).fetchall()
    return Proof("no batch is doubled", f"{batches} batches, {twice} twice, {refused} refused", not twice + refused)


_TWICE = """
select count(*), count(*) - count(distinct (feed_code, delivery, business_date, source_sha256)),
    count(*) filter (where status = 'refused')
from audit.batch
"""


def _landed_once(connection: psycopg.Connection, settings: Settings) -> Proof:
    """The landing zone holds the file of each batch; what a killed load landed is the same file."""
    store = store_of(settings)
    landed = {sha256_of(name) for name in store.names()}
    booked = {sha256 for (sha256,) in connection.execute("select source_sha256 from audit.batch")}
    return Proof(f"what was loaded lies in {store.told}", f"{len(landed)} files", landed == booked)


def _one_caller_is_one(
    connection: psycopg.Connection, found: Cluster, tasks: Sequence[dict], called: dict[str, set[str]]
) -> Proof:
    """The tokens of the one who called everywhere, of feeds that different workers loaded."""
    pairs = [(feed, number) for feed, numbers in called.items() for number in numbers]
    rows = connection.execute(
        "select feed_code, caller_token from staging.case_record join unnest(%s::text[], %s::text[]) as his (feed, no)"
        " on feed_code = his.feed and case_no = his.no",
        [[feed for feed, _ in pairs], [number for _, number in pairs]],
    ).fetchall()
    tokens, feeds = {token for _, token in rows}, {feed for feed, _ in rows}
    shares = [len(feeds & ended_by(one, tasks)) for one in found.workers]
    told = f"{len(rows)} cases of {' + '.join(map(str, shares))} feeds: {len(tokens)} token"
    return Proof("one caller is one", told, len(tokens) == 1 and min(shares) > 0)


def prove_warehouse(settings: Settings, state: str) -> Proof:
    """The build took every case that was staged."""
    with database.connect(settings) as connection:
        [(staged, facts)] = connection.execute(
            "select (select count(distinct (feed_code, case_no)) from staging.case_record),"
            " (select count(*) from mart.fct_case)"
        ).fetchall()
    return Proof(
        "the warehouse is built", f"{state}; {facts:,} cases of {staged:,}", state == "success" and facts == staged
    )


# The run


def run(folder: Path, config: Path, tell: Tell, *, broker_url: str = "", **zone: str) -> list[Proof]:
    """The whole of it. ``tell`` is given what happens; ``zone`` is the landing zone, as `machines.cluster` takes it."""
    feeds = load_feeds(config)
    with cluster(folder, config, broker_url=broker_url, **zone) as found:
        settings = found.main.settings
        sent = simulate(settings.drop, config, feeds)
        tell(f"the services are up: {found.main.airflow.url}")
        first, second = found.worker("first"), found.worker("second")
        for one in (first, second):
            one.start()
        for one in (first, second):
            one.wait()
        tell(f"two workers answer: {first.name}, {second.name}")
        runs = run_feeds(found, feeds)
        wait_for(found, runs, len(runs) // 4, WITHIN, tell)
        death = kill_in_a_load(settings, found.workers, 120)
        tell(f"killed {death.worker.name} with SIGKILL, with {len(death.pids)} load(s) written and not committed")
        if not broker_url:
            wait_for(found, runs, len(runs) // 2, WITHIN, tell)
            found.broker.kill()
            tell("killed the broker with SIGKILL; what it held is forgotten")
            time.sleep(BROKER_AWAY)
            found.broker.start()
            tell(f"the broker is back after {BROKER_AWAY} s, empty")
        wait_for(found, runs, len(runs), WITHIN, tell)
        proofs = prove(found, runs, sent)
        tell("the warehouse is built")
        client = found.main.airflow
        build = ("warehouse", client.trigger("warehouse", {"business_date": DAY.isoformat()}))
        wait_for(found, [build], 1, WITHIN, tell)
        proofs.append(prove_warehouse(settings, client.states([build])[build]))
        for one in found.workers:
            one.stop(120)
        return proofs


@contextmanager
def s3_bucket() -> Iterator[dict[str, str]]:
    """A landing zone in a server that plays S3, with the variables by which fsspec finds it, here and everywhere."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {"endpoint_url": f"http://{host}:{port}", "key": "minhu", "secret": "minhu"}
    variables = {f"FSSPEC_S3_{name.upper()}": value for name, value in options.items()}
    fsspec.config.conf["s3"] = options
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        fsspec.filesystem("s3").mkdir("landing")
        yield {"landing": "s3://landing/minhu"} | variables
    finally:
        server.stop()


@click.command(epilog="Example: python -m bench.cluster --store s3")
@click.option("--store", type=click.Choice(["folder", "s3"]), default="folder", help="What the landing zone is.")
@click.option("--broker-url", default="", help="A broker that runs, Redis or RabbitMQ; it is not killed then.")
@click.option("--keep", is_flag=True, help="Leave the homes and their logs.")
def main(store: str, broker_url: str, keep: bool) -> None:
    """A simulated day by two workers, of which one dies, and the broker too. Exits 1 where something does not hold."""
    folder, began = Path(tempfile.mkdtemp(prefix="minhu-cluster-")), time.monotonic()

    def tell(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.0f} s  {line}")

    is_well = False
    try:
        with ExitStack() as stack:
            zone = stack.enter_context(s3_bucket()) if store == "s3" else {}
            proofs = run(folder, PROJECT_ROOT / "config", tell, broker_url=broker_url, **zone)
        show(proofs)
        is_well = all(proof.is_so for proof in proofs)
    except MinhuError as error:
        tell(f"it did not come to an end: {error}")
    finally:
        if is_well and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            tell(f"homes and logs: {folder}")
    tell("all of it holds" if is_well else "NOT ALL OF IT HOLDS")
    sys.exit(not is_well)


def show(proofs: Sequence[Proof]) -> None:
    table = Table("what", "found", "holds")
    for proof in proofs:
        table.add_row(proof.what, proof.found, "yes" if proof.is_so else "NO")
    Console().print(table)


if __name__ == "__main__":
    main()
