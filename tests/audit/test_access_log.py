"""Who reads citizens' data is told before he reads; and what is told cannot be changed unseen."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy
from click.testing import CliRunner

from minhu import cli, database, quality
from minhu.database import logins as accounts
from minhu.errors import Refused
from minhu.landing.land import landed_file
from minhu.privacy import access_log
from minhu.publish import access_log_chain
from minhu.settings import PROJECT_ROOT

GROUPS = {"bi": None, "evaluator": None, "auditor": None, "unit": "U1"}


def rows(settings, text, *parameters):
    with database.connect(settings) as connection:
        return connection.execute(text, parameters).fetchall()


@pytest.fixture(scope="module")
def warehouse(either):
    return either


@pytest.fixture(scope="module")
def batch(warehouse):
    """A held batch with one rejected row."""
    with database.connect(warehouse) as connection:
        connection.execute("insert into config.version (city, sha256) values ('testcity', 'x')")
        connection.execute(
            "insert into config.entry (kind, key, data, since_version)"
            " values ('unit', 'U1', '{\"unit_code\": \"U1\"}', 1), ('feed', 'h1', '{}', 1)"
        )
        (batch_id,) = connection.execute(
            "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
            " source_bytes, received_rows, rejected_rows, status, reason_code, order_key, started_at) values ('h1',"
            " 'cases', 'case', '2026-10-12', 'f', 'x', 1, 1, 1, 'held', 'x', 1, now()) returning batch_id"
        ).fetchone()
        connection.execute(
            "insert into restricted.rejected_row (batch_id, row_number, reason_code, raw) values (%s, 1, 'X', '{}')",
            [batch_id],
        )
    return batch_id


@pytest.fixture(scope="module")
def logins(warehouse, batch):
    """The warehouse as a login of each group reaches it."""
    with database.connect(warehouse, autocommit=True) as owner:
        reached = {}
        for group, unit in GROUPS.items():
            password = accounts.add_login(owner, f"log_{group}", group, unit=unit)
            url = sqlalchemy.make_url(database.url(warehouse)).set(username=f"log_{group}", password=password)
            reached[group] = replace(warehouse, database_url=url.render_as_string(hide_password=False))
        yield reached
        for group in GROUPS:
            accounts.drop_login(owner, f"log_{group}")


@pytest.fixture(scope="module")
def log(warehouse, batch, logins):
    """Five rows: two readings, two exports, the release of the batch."""
    with access_log.reading(warehouse, "rejected_rows", " 退回更正，来电13812345678 ", batch_id=batch):
        pass
    with access_log.reading(warehouse, "frequent_callers", "研判", about="2026-10"):
        pass
    access_log.record_export(logins["bi"], "linan 2026-10 draft xlsx", "通报")
    access_log.record_export(logins["unit"], "linan 2026-10 draft csv evidence U1")
    quality.release_batch(warehouse, batch, "与热线核对，来电13812345678")
    return warehouse


def test_the_row_stands_before_the_answer_and_whatever_becomes_of_it(warehouse, batch):
    before = len(access_log.entries(warehouse))
    with pytest.raises(ZeroDivisionError), access_log.reading(warehouse, "rejected_rows", "x", batch_id=batch):
        assert len(access_log.entries(warehouse)) == before + 1
        raise ZeroDivisionError
    assert len(access_log.entries(warehouse)) == before + 1
    for why, of, told in ((" ", batch, "say why"), ("x", 999, "there is no batch 999")):
        with pytest.raises(Refused, match=told), access_log.reading(warehouse, "landed_file", why, batch_id=of):
            raise AssertionError("answered")
    assert len(access_log.entries(warehouse)) == before + 1


def test_readings_exports_and_releases_are_told_with_login_and_reason_and_without_a_phone(log, logins):
    owner = rows(log, "select session_user")[0][0]
    told = [(one["subject"], one["accessed_by"], one["why"]) for one in access_log.entries(logins["auditor"])][-5:]
    assert told == [
        ("rejected_rows", owner, "退回更正，来电138****5678"),
        ("frequent_callers", owner, "研判"),
        ("export", "log_bi", "通报"),
        ("export", "log_unit", None),
        ("batch_release", owner, "与热线核对，来电138****5678"),
    ]
    assert access_log_chain.check(logins["auditor"]).is_ok
    assert access_log_chain.check(logins["evaluator"]) is None, "only auditors and the owner read the log"
    with pytest.raises(Refused, match="does not read the access log"):
        access_log.entries(logins["evaluator"])


def test_the_command_filters_and_verifies(log, logins):
    environment = {"MINHU_HOME": str(log.home), "MINHU_DATABASE_URL": logins["auditor"].database_url}

    def run(*arguments, code=0):
        told = CliRunner().invoke(cli.minhu, arguments, env=environment)
        assert told.exit_code == code, told.output
        return told.output

    (shown,) = json.loads(run("access", "list", "--subject", "export", "--by", "log_bi", "--json"))
    assert (shown["subject_zh"], shown["about"]) == ("导出", "linan 2026-10 draft xlsx")
    assert json.loads(run("access", "list", "--until", "2026-01-01", "--json")) == []
    head = json.loads(run("verify", "--access", "--json"))["head"]
    assert f"末端 {head}" in run("verify", "--access", "--head", head)
    assert "截断或重写" in run("verify", "--access", "--head", f"2:{'0' * 64}", code=1)
    run("verify", code=2)


def test_writers_at_once_chain_one_after_the_other(log):
    writers, each = 4, 8
    ready = threading.Barrier(writers, timeout=20)
    before = access_log_chain.check(log).rows

    def write(number):
        with database.connect(log) as connection:
            for _ in range(each):
                ready.wait()
                connection.execute("insert into audit.access_log (subject, why) values ('frequent_callers', 'x')")
                connection.rollback() if number == 0 else connection.commit()

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    with database.connect(log) as connection:  # who wrote while another sealed is sealed by the keeper
        connection.execute("select audit.seal_access()")
    found = access_log_chain.check(log)
    assert found.is_ok and found.rows == before + (writers - 1) * each


@pytest.mark.parametrize("table", ["access_log", "access_head"])
def test_nobody_changes_the_log(log, logins, table):
    for who in (log, *logins.values()):
        for statement in (
            f"update audit.{table} set hash = 'x'", f"delete from audit.{table}", f"truncate audit.{table}",
            f"insert into audit.{table} select * from audit.{table}",
        ):  # fmt: skip
            if (who, table, statement[:6]) == (log, "access_log", "insert"):
                continue  # the owner adds rows; they are chained like all others
            with database.connect(who) as connection, pytest.raises(psycopg.Error, match=r"append-only|permission"):
                connection.execute(f"set transaction read write; {statement}")


TAMPERED = {
    "a reason is changed": ("update audit.access_log set why = 'y' where access_id = 2", "第 2 行：内容被改动"),
    "a row is taken out": ("delete from audit.access_log where access_id = 2", "第 2 行：缺失"),
    "a row is rewritten with its hash": (
        "update audit.access_log set why = 'y' where access_id = 2; update audit.access_log as log set hash ="
        " publish.link(previous_hash, null, publish.canonical(to_jsonb(log) - array['hash', 'previous_hash']))"
        " where access_id = 2",
        "第 3 行：与上一行的哈希不衔接",
    ),
    "the last rows are cut off": ("delete from audit.access_log where access_id > 4", "末尾有行被删除"),
    "the release that was logged is gone": ("delete from audit.batch_verdict", "batch_release 1：日志有记录"),
    "a release is signed by another": (
        "update audit.batch_verdict set decided_by = 'y'",
        "batch_release 1：该行为没有日志",
    ),
    "the log and its end are emptied": (
        "delete from audit.access_log; update audit.access_head set access_id = 0, hash = repeat('0', 64)",
        "batch_release 1：该行为没有日志",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_a_superuser_changes_is_named(log, how):
    statement, told = TAMPERED[how]
    with database.connect(log) as connection:
        connection.execute(f"set timezone = 'UTC'; set local session_replication_role = replica; {statement}")
        found = access_log_chain.check_log(connection)
        connection.rollback()
    assert not found.is_ok and told in "\n".join(map(str, found.findings))
    assert access_log_chain.check(log).is_ok


def test_rows_cut_off_with_the_registered_end_are_seen_by_who_noted_the_end(log):
    noted = access_log_chain.check(log).head
    with database.connect(log) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "delete from audit.access_log where access_id = (select max(access_id) from audit.access_log)"
        )
        connection.execute(
            "update audit.access_head set (access_id, hash) ="
            " (select access_id, hash from audit.access_log order by access_id desc limit 1)"
        )
        assert access_log_chain.check_log(connection).is_ok, "nothing in the database tells"
        (finding,) = access_log_chain.check_log(connection, noted).findings
        assert "截断或重写" in str(finding)
        connection.rollback()


def test_no_login_reads_what_citizens_sent(log, logins, batch):
    for group, reached in logins.items():
        seen = rows(
            log,
            "select relname from pg_class where relnamespace = any(array['restricted', 'staging']::regnamespace[])"
            " and relkind in ('r', 'v', 'p', 'm') and has_any_column_privilege(%s, oid, 'select, insert, update')",
            f"log_{group}",
        )
        assert seen == [] and rows(
            log,
            "select pg_has_role(%s, 'pg_read_server_files', 'member') or pg_has_role(%s, 'pg_execute_server_program',"
            " 'member') or has_schema_privilege(%s, 'restricted', 'usage')",
            *[f"log_{group}"] * 3,
        ) == [(False,)], group
        for statement in ("select pg_read_file('/etc/hostname')", "copy (select 1) to program 'cat'"):
            with database.connect(reached) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        with pytest.raises(Refused, match="reads no citizens' data"), landed_file(reached, batch, "x"):
            raise AssertionError("answered")


READERS = {  # who names what is restricted, or opens a landed file, outside the log: the pipeline that brings it in
    r"restricted\.(rejected_row|caller_case)": {
        "load/batch.py",
        "load/prune.py",
        "load/rejects.py",
        "watch/callers.py",
    },
    r"(import.*|with )\bopened\b": {"load/__init__.py", "load/push.py", "landing/land.py", "warehouse/detached.py"},
}


@pytest.mark.parametrize("what", READERS)
def test_nothing_reads_past_the_log(what):
    sources = {path.relative_to(PROJECT_ROOT / "minhu").as_posix(): path for path in PROJECT_ROOT.glob("minhu/**/*.py")}
    found = {name for name, path in sources.items() if re.search(what, path.read_text(encoding="utf-8"))}
    assert found == READERS[what]
    readers = {"load/rejects.py", "watch/callers.py"} & found
    assert all("access_log.reading(" in sources[name].read_text(encoding="utf-8") for name in readers)
