"""The text of a case is read by who judges it, with a reason, and the log has that before, whatever comes of it."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from minhu import database
from minhu.database import logins as login_roles
from minhu.errors import Refused
from minhu.privacy import access_log
from minhu.privacy.case_text import read_case
from minhu.publish import access_log_chain
from tests.scenarios.city import reached_as

ASK = "select audit.ask_for_case('h1', '7', '复核申诉 1')"
PEOPLE = {"ping": "evaluator", "gu": "evaluator", "shen": "auditor", "bao": "bi", "d1": "unit"}
READ = "select * from audit.read_case(%s)"
TOLD = [
    ("title", "路灯不亮"),
    ("content", "来电人138****5678反映路灯不亮"),
    ("CLOSE", "已修复"),
    ("callback", "仍不亮"),
]


@pytest.fixture(scope="module")
def city(either):
    """A case whose record, close and callback are accepted, and a version of it that is held."""
    with database.connect(either) as owner:
        for status, no in (("accepted", 1), ("held", 2)):
            owner.execute(
                "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
                " source_bytes, received_rows, staged_rows, status, reason_code, order_key, started_at)"
                " values ('h1', 'cases', 'case', '2026-10-12', 'f', %s, 1, 3, 3, %s, 'x', %s, now())",
                [str(no), status, no],
            )
        content = TOLD[1][1]
        for batch, text in ((1, content), (2, "另一版")):
            owner.execute(
                "insert into staging.case_record (feed_code, case_no, received_at, title, content, address, payload,"
                " batch_id, row_number, row_hash) values ('h1', '7', '2026-10-12 09:00+08', '路灯不亮', %s, '某路',"
                " %s, %s, 1, 'x')",
                [text, Jsonb({"k": "v"}), batch],
            )
        owner.execute(
            "insert into staging.case_event (case_feed_code, case_no, event_type, occurred_at, unit_name, note,"
            " feed_code, batch_id, row_number, row_hash) values"
            " ('h1', '7', 'CLOSE', '2026-10-13 09:00+08', '城管局', '已修复', 'h1', 1, 2, 'x'),"
            " ('h1', '7', 'SIGN', '2026-10-12 10:00+08', '城管局', null, 'h1', 1, 3, 'x')"
        )
        owner.execute(
            "insert into staging.callback (case_feed_code, case_no, called_at, reason, feed_code, batch_id, row_number,"
            " row_hash) values ('h1', '7', '2026-10-14 09:00+08', '仍不亮', 'h1', 1, 4, 'x')"
        )
        owner.execute("insert into config.version (city, sha256) values ('x', 'x')")
        owner.execute(
            "insert into config.entry (kind, key, data, since_version)"
            " select 'unit', 'U1', '{\"unit_code\": \"U1\"}', max(config_version) from config.version"
        )
        owner.execute(
            "insert into mart.fct_case (case_id, feed_code, case_no, received_at, is_excluded, assignment_count,"
            " return_count, rework_count, root_case_id, source_batch_id, source_row_number)"
            " values ('a', 'h1', '7', '2026-10-12 09:00+08', false, 1, 0, 0, 'a', 1, 1)"
        )
    return either


@pytest.fixture(scope="module")
def people(city):
    with database.connect(city, autocommit=True) as owner:
        reached = {"owner": city}
        for name, group in PEOPLE.items():
            password = login_roles.add_login(owner, f"text_{name}", group, unit="U1" if group == "unit" else None)
            reached[name] = reached_as(city, f"text_{name}", password)
        yield reached
        for name in set(reached) - {"owner"}:
            login_roles.drop_login(owner, f"text_{name}")


def logged(people):
    return [
        (one["accessed_by"], one["about"], one["why"])
        for one in access_log.entries(people["shen"])
        if one["subject"] == "case_text"
    ]


@pytest.mark.parametrize("who", ["ping", "shen"])
def test_who_judges_and_who_audits_read_it_with_a_reason(people, who):
    found = read_case(people[who], "h1", "7", " 复核申诉 1，来电13812345678 ")
    assert [(one["told"], one["text"]) for one in found] == TOLD
    assert logged(people)[-1] == (f"text_{who}", "h1 7", "复核申诉 1，来电138****5678")
    assert access_log_chain.check(people["shen"]).is_ok


def test_nobody_else_reads_it_and_nobody_without_a_reason(people):
    before = logged(people)
    for who in ("bao", "d1"):
        with pytest.raises(Refused, match="may not do this"):
            read_case(people[who], "h1", "7", "x")
    with pytest.raises(Refused, match="is missing: say it in a few words"):
        read_case(people["ping"], "h1", "7", "  ")
    with pytest.raises(Refused, match="no case of this hotline has this number"):
        read_case(people["ping"], "h1", "8", "x")
    assert logged(people) == before


def test_a_reading_whose_log_could_be_taken_back_is_not_answered(people):
    before = logged(people)
    nothing = pytest.raises(psycopg.errors.RaiseException, match="nothing was asked for under the number")
    with database.connect(people["ping"]) as ping:
        for in_savepoint in (False, True):
            ping.execute("select")  # opens the transaction
            if in_savepoint:
                with ping.transaction():
                    asked = database.one(ping, ASK)[0]
            else:
                asked = database.one(ping, ASK)[0]
            with nothing, ping.transaction():
                ping.execute(READ, [asked])
            ping.rollback()
    assert logged(people) == before


def test_the_number_serves_who_asked_and_for_a_while(people):
    with database.connect(people["ping"], autocommit=True) as ping, database.connect(people["gu"]) as gu:
        asked = database.one(ping, ASK)[0]
        nothing = pytest.raises(psycopg.errors.RaiseException, match="nothing was asked for")
        for number in (asked, asked + 1, None):
            with nothing, gu.transaction():
                gu.execute(READ, [number])
        with ping.transaction():
            ping.execute("set transaction read only")
            assert len(ping.execute(READ, [asked]).fetchall()) == len(TOLD)
        with database.connect(people["owner"]) as owner:
            owner.execute("alter table audit.case_reading disable trigger user")
            owner.execute("update audit.case_reading set asked_at = asked_at - interval '11 minutes'")
            owner.execute("alter table audit.case_reading enable trigger user")
        with nothing:
            ping.execute(READ, [asked])
