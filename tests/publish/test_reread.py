"""Landed files that are read again: a row of staging that was changed after the load is told by file and line."""

import re

import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.load import load_file, replay
from minhu.load.key_ring import rotate
from minhu.load.reread import drawn, reread
from minhu.privacy import access_log
from minhu.publish import close, publish, revise, verify
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, login, rows

MONTH = "2026-10"
EVENTS = f"""case_no,event_type,occurred_at,unit_name
{case(1, "")["工单编号"]},SIGN,2026-10-12 10:00:00,城管局
{case(2, "")["工单编号"]},SIGN,2026-10-12 11:00:00,城管局
"""
ROW = "batch_id = 1 and row_number = (select max(row_number) from staging.case_record where batch_id = 1)"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    made = world.make(scratch, tmp_path_factory.mktemp("reread"))
    path = made.drop / "h1" / "events.csv"
    path.write_text(EVENTS, encoding="utf-8")
    loaded = load_file("h1", "events", path, world.LAST, settings=made)
    with database.connect(made) as connection:
        connection.execute("update audit.batch set status = 'accepted' where batch_id = %s", [loaded.batch_id])
    build(made)
    return made


@pytest.fixture(scope="module")
def published(city):
    world.judge(login(city, "z_shen", "evaluator"), close(city, MONTH))
    return publish(city, MONTH, why=UNWITNESSED)


def changed(copy, statement: str):
    with database.connect(copy) as owner:
        assert owner.execute(statement).rowcount == 1


def test_what_nobody_changed_is_what_the_files_say(city, published):
    found = verify(city, MONTH)
    assert found.is_ok and (found.files.files, found.files.of_files, found.files.rows) == (2, 2, 10)
    assert found.files.deviations == () == found.files.notes
    logged = [one["why"] for one in access_log.entries(city, subject="landed_file")]
    assert logged[-2:] == [f"verify {MONTH} revision 1"] * 2
    assert rows(city, "select count(*) from pg_class where relname = 'reread'") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (  # its hash is left as it was: it is the columns that count
            "update staging.case_record set milestones = replace(milestones::text, '2026-10-21', '2026-10-13')::jsonb"
            " where batch_id = 1 and case_no like '%00006'",
            r"h1/cases .*cases_\d+\.csv 第 \d+ 行（批次 1）：暂存表的 milestones 与文件不符",
        ),
        (f"update staging.case_record set category_code = 'x', title = '改' where {ROW}", "的 category_code、title 与"),
        (f"update staging.case_record set caller_token = 'x' where {ROW}", "暂存表的 caller_token 与文件不符"),
        (f"update staging.case_record set caller_key_id = 'x' where {ROW}", "暂存表的 caller_key_id 与文件不符"),
        (f"update staging.case_record set row_hash = 'x' where {ROW}", "暂存表的 row_hash 与文件不符"),
        (f"delete from staging.case_record where {ROW}", "文件中有，暂存表中没有"),
        (
            "insert into staging.case_event (case_feed_code, case_no, event_type, occurred_at, unit_name, feed_code,"
            " batch_id, row_number, row_hash)"
            " select case_feed_code, case_no, 'CLOSE', occurred_at, unit_name, feed_code, batch_id, 9, 'x'"
            " from staging.case_event where row_number = (select max(row_number) from staging.case_event)",
            "h1/events .*events.csv 第 9 行（批次 2）：暂存表中有，文件中没有",
        ),
        ("update staging.case_event set occurred_at = occurred_at - interval '1 hour' where case_no like '%00001'",
         "暂存表的 occurred_at 与文件不符"),
        ("update audit.batch set staged_rows = 7, rejected_rows = 1 where batch_id = 1",
         "清单记收到 8 行、入库 7 行，重读得"),
    ],
)  # fmt: skip
def test_a_change_before_the_closing_is_told_by_file_and_line(city, copied, statement, told):
    """Nothing of it shows in a release: it was closed, and computed anew, from what had been changed."""
    copy = copied(city)
    changed(copy, statement)
    (one,) = reread(copy, [1, 2], "x").deviations
    assert re.search(told, str(one)), str(one)
    assert "改" not in str(one).replace("改写", "")


@pytest.mark.long
def test_the_release_of_a_changed_row_verifies_but_for_the_files(city, published, copied, monkeypatch):
    copy = copied(city)
    late_in_time = (
        "update staging.case_record set milestones = replace(milestones::text, '2026-10-21', '2026-10-13')::jsonb"
        " where batch_id = 1 and case_no like '%00006'"
    )
    changed(copy, late_in_time)
    build(copy, full_refresh=True)
    world.judge(login(copy, "z_shen", "evaluator"), revise(copy, MONTH, why="补报"))
    publish(copy, MONTH, why=UNWITNESSED)
    found = verify(copy, MONTH)
    assert found.findings == () == found.changed_inputs == found.differences and not found.is_ok
    assert [one.row_number is not None for one in found.files.deviations] == [True]
    for name, value in (
        ("MINHU_HOME", copy.home), ("MINHU_CONFIG", copy.config), ("MINHU_DATABASE_URL", copy.database_url),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    done = CliRunner().invoke(minhu, ["verify", MONTH, "--all"])
    assert done.exit_code == 1 and "落地文件 全部 2 个批次，10 行：1 处不符" in done.output
    none = CliRunner().invoke(minhu, ["verify", MONTH, "--files", "0", "--seed", "s"])
    assert none.exit_code == 0 and "抽查 0/2 个批次（种子 s）" in none.output


def test_a_file_that_was_changed_or_is_gone_is_told(city, copied):
    copy = copied(city)
    (sha256,) = rows(copy, "select source_sha256 from audit.batch where batch_id = 1")[0]
    (landed,) = copy.landing.rglob(f"*{sha256}*")
    kept = landed.read_bytes()
    landed.chmod(0o600)
    landed.write_bytes(kept.replace(b"2026-10-21", b"2026-10-13"))
    (one,) = reread(copy, [1, 2], "x").deviations
    assert "落地文件的内容不是接入时的" in str(one) and one.batch_id == 1
    landed.unlink()
    (one,) = reread(copy, [1, 2], "x").deviations
    assert "落地文件不在了，也没有清除登记" in str(one)
    with database.connect(copy) as owner:
        owner.execute(
            "insert into audit.pruned (batch_id, what, source_sha256, kept_days) values (1, 'landed_file', %s, 1)",
            [sha256],
        )
    found = reread(copy, [1, 2], "x")
    assert found.deviations == () and found.files == 1
    assert found.notes == ("1 个批次的落地文件或重复行已按保存期限清除，未重读",)


def test_a_new_caller_key_a_replay_and_a_new_declaration_are_no_change(city, copied):
    copy = copied(city)
    rotate(copy)
    assert reread(copy, [1, 2], "x").deviations == ()
    again = replay(copy, 1).batch_id
    assert reread(copy, [1, again], "x").deviations == ()


def test_a_declaration_that_was_changed_since_is_named_as_a_cause(city, copied):
    copy = copied(city)
    file = copy.config / "feeds" / "h1.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("content: 主要内容", "title: 主要内容"), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != text
    found = reread(copy, [1], "x")
    assert "content" in str(found.deviations[0]) and "声明在接入之后改过的" in found.notes[0]


def test_a_seed_draws_the_same_files_and_nobody_foresees_another():
    batches = list(range(1, 201))
    assert drawn(batches, "s", 20) == drawn(batches[::-1], "s", 20) and len(drawn(batches, "s", 20)) == 20
    assert drawn(batches, "s", 20) != drawn(batches, "t", 20)
    assert set(drawn(batches, "s", 10)) < set(drawn(batches, "s", 20))
