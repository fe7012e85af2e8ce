"""A period from closing to its second revision: who may do what, what is refused, what nobody can change unseen."""

from dataclasses import replace
from importlib import import_module

import psycopg
import pytest

from minhu import assess, database
from minhu.audit.report.chapters import chapters
from minhu.audit.report.read import read_audit
from minhu.audit.trace import trace
from minhu.audit.trace_text import render_trace
from minhu.errors import Refused
from minhu.export import read_report
from minhu.paper.blocks import texts
from minhu.privacy import access_log
from minhu.publish import close, diff, publish, revise, verify
from minhu.publish.chain import check_chain
from minhu.publish.diff import show_release
from minhu.publish.stored_release import explain_release
from minhu.scoring import explain
from minhu.scoring import render as render_explanation
from minhu.warehouse.build import build
from tests.lineage import told
from tests.publish import city as world
from tests.publish.city import LATE, UNWITNESSED, case, deliver, login, rows
from tests.publish.city import judge as approve
from tests.scenarios.city import confirm

MONTH = "2026-10"
UNPROVEN = (f"发布时没有可用的外部见证：{UNWITNESSED}",)
TABLES = ("closing", "frozen_row", "release", "unit_score", "unit_indicator", "evidence")


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """It tells its lineage."""
    folder = tmp_path_factory.mktemp("publish")
    return world.anew(lambda: replace(scratch(), lineage=str(folder / "lineage.jsonl")))


@pytest.fixture(scope="module")
def shen(city):
    """An evaluator: approves."""
    return login(city, "p_shen", "evaluator")


@pytest.fixture(scope="module")
def first(city, shen):
    """The first release; on the way to it, everything that is refused before."""
    with pytest.raises(Refused, match="2026-10 is not closed"):
        publish(city, MONTH, why=UNWITNESSED)
    closing = close(city, MONTH)
    assert (closing.revision, closing.rows["unit_score"], closing.state) == (1, 2, "awaits_approval")
    with pytest.raises(Refused, match="not approved: another login than"):
        publish(city, MONTH, why=UNWITNESSED)
    with pytest.raises(Refused, match="approved by another person"):
        approve(city, closing.closing_id)
    approve(shen, closing.closing_id)
    release = publish(shen, MONTH, why=UNWITNESSED)
    assert release.approved_by == release.published_by == "p_shen" != release.closed_by
    return release


def test_what_is_published_is_what_was_closed(city, first):
    assert (first.revision, first.previous_hash) == (1, "0" * 64)
    scored = "select unit_code, score_100, rank_in_group from {} order by unit_code"
    published = rows(city, scored.format("publish.unit_score"))
    told = [set(one) for one in show_release(city, MONTH)[1]]  # its scheme publishes bands, and no places
    assert told and all("band" in one and "rank_in_group" not in one for one in told)
    assert published == rows(city, scored.format("mart.fct_unit_score")) and len(published) == 2
    late = (
        "select unit_code, count(*) from publish.evidence where indicator_code = 'close_on_time' group by 1 order by 1"
    )
    assert rows(city, late) == [("U1", 2), ("U2", 1)]
    found = verify(city, MONTH)
    assert found.is_ok and found.differences == () and found.notes == UNPROVEN and found.last_hash == first.hash


def test_an_auditor_walks_a_case_to_the_release_that_tells_it(city, first):
    found = trace(city, "h1", case(5, "城管局")["工单编号"])
    told = {(row["revision"], row["change"], row["indicator_code"]) for row in found.published}
    assert (1, "added", "close_on_time") in told and {row[:2] for row in told} == {(1, "added")}
    assert first.hash in render_trace(found)
    report = read_audit(city, MONTH, seed="x", n=8)
    assert report.inputs["release_head"] == first.hash
    assert any(first.hash in text for text in texts(chapters(report)))


def test_the_way_of_a_number_is_told_from_the_file_to_the_release(city, first):
    events = told(city)
    done = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    reads, writes = (
        {name: {one["name"] for one in event[side]} for name, event in done.items()} for side in ("inputs", "outputs")
    )
    (file,) = reads["load.h1.cases"]
    assert file.startswith("feed/h1/cases/h1/cases_")
    assert writes["load.h1.cases"] == {"batch/1", "staging.case_record"} <= reads["build"]
    assert {"mart.fct_case", "mart.fct_timeliness"} <= writes["build"] & reads["score"]
    assert f"score/linan/{MONTH}" in writes["score"] & reads["publish"]
    assert f"release/linan/{MONTH}/1" in writes["publish"]
    (staged,) = [one for one in done["load.h1.cases"]["outputs"] if one["name"] == "staging.case_record"]
    assert staged["outputFacets"]["outputStatistics"]["rowCount"] == len(world.FIRST)
    ends = {(event["run"]["runId"], event["eventType"]) for event in events}
    assert {kind for _, kind in ends} == {"START", "COMPLETE", "FAIL"}, "what was refused on the way failed"


def test_every_act_on_the_way_stands_in_the_access_log(city, first):
    logged = [(one["subject"], one["accessed_by"], one["act_id"]) for one in access_log.entries(city)]
    owner = first.closed_by
    assert logged[:3] == [
        ("closing", owner, first.closing_id),
        ("approval", "p_shen", 1),
        ("publication", "p_shen", first.release_id),
    ]
    assert verify(city, MONTH, chain_only=True).access.is_ok


def test_what_is_published_is_not_published_or_closed_again(city, first):
    with pytest.raises(Refused, match="is published already"):
        publish(city, MONTH, why=UNWITNESSED)
    with pytest.raises(Refused, match="a correction is `minhu revise 2026-10"):
        close(city, MONTH)
    assert len(rows(city, "select 1 from publish.release")) == 1


@pytest.fixture(scope="module")
def second(city, shen, first):
    """A late batch and a granted appeal make a second revision."""
    with pytest.raises(Refused, match="say why"):
        revise(city, MONTH, why=" ")
    deliver(city, [case(9, "交通局", **LATE)])
    unit = login(city, "p_u1", "unit", unit="U1")
    asked = {"grounds_code": "mis_dispatched", "statement": "非本单位职责", "evidence_ref": "2026-17"}
    filed = assess.record(unit, "file_appeal", period=MONTH, feed_code="h1", case_no=case(5, "")["工单编号"], **asked)
    granted = {"decision": "granted", "reason_code": "mis_dispatched", "reason": "核实为错派"}
    gu = login(city, "p_gu", "evaluator")
    assess.record(gu, "decide_appeal", appeal_id=filed, **granted, from_revision=2)
    confirm(shen)
    with pytest.raises(Refused, match="1 batches and 1 decisions of people are not built yet"):
        revise(city, MONTH, why="补报")
    build(city)
    closing = revise(city, MONTH, why="申诉获准，补报一批")
    assert (closing.revision, closing.state) == (2, "awaits_approval")
    assert "p_shen" in closing.may_approve and "p_gu" not in closing.may_approve
    with pytest.raises(Refused, match="holds what p_gu decided: another person approves it"):
        approve(gu, closing.closing_id)
    approve(shen, closing.closing_id)
    return publish(city, MONTH, why=UNWITNESSED)


def test_what_nobody_could_approve_is_not_closed(city, second):
    """Whoever granted the appeal, and nobody else, is an evaluator: in a transaction that is given up."""
    with database.connect(city) as owner:
        for (member,) in owner.execute(
            "select member::regrole::text from pg_auth_members where roleid = 'minhu_evaluator'::regrole"
            " and member <> 'p_gu'::regrole"
        ).fetchall():
            owner.execute(f"revoke minhu_evaluator from {member}")
        closed = owner.execute(
            "select scheme_id, scheme_version, period, quality_run_id from publish.closing order by closing_id desc"
        ).fetchone()
        with pytest.raises(psycopg.errors.RaiseException, match="nobody could approve the closing of 2026-10"):
            owner.execute("select publish.close(%s, %s, %s, %s, '{}'::jsonb, 'x')", closed)
        owner.rollback()
    assert len(rows(city, "select 1 from publish.closing")) == 2


@pytest.mark.parametrize(
    ("period", "of_period", "told"),
    [
        ("2026-10", "2026-10", True),
        ("2026-10", "2026-Q4", True),
        ("2026-12", "2026-Q4", True),
        ("2026-09", "2026-Q4", False),
        ("2025-10", "2026-Q4", False),
        ("2026-10", "2026", True),
        ("2026-Q4", "2026", True),
        ("2026-Q4", "2026-10", False),
        ("2026", "2026-10", False),
        ("2026-01", "2026-Q1", True),
        ("2026", "2026", True),
        ("2025", "2026", False),
    ],
)
def test_which_decisions_are_of_a_period(city, period, of_period, told):
    assert rows(city, "select publish.is_within(%s, %s)", period, of_period) == [(told,)]


def test_a_revision_says_who_which_indicator_which_cases_and_why(city, first, second):
    moved = diff(city, MONTH)
    assert (moved.revision, moved.base_revision, moved.is_published) == (2, 1, True)
    # U1 had 4 of 6 in time, now 4 of 5: 1.67 becomes 15. U2 had nothing left to lose, but its count moved.
    assert {unit.unit_code for unit in moved.units} == {"U1"}
    assert "rank_in_group" not in {change.column for unit in moved.units for change in unit.changes}
    assert {(one.unit_code, one.indicator_code) for one in moved.indicators} >= {
        ("U1", "close_on_time"),
        ("U2", "close_on_time"),
    }
    closed = [one for one in moved.cases if one.indicator_code == "close_on_time"]
    told = {(one.change, one.unit_code, one.case_no[-1], one.excluded_reason) for one in closed}
    assert told == {("removed", "U1", "5", None), ("added", "U1", "5", "mis_dispatched"), ("added", "U2", "9", None)}
    assert any(cause.startswith("新到批次 2：h1 cases 2026-10-31，1 行") for cause in moved.causes)
    assert "申诉 1：获准（核实为错派，p_gu）" in moved.causes
    assert len(moved.causes) == 2


def test_who_approves_sees_what_moved_and_an_auditor_checks_the_hashes(city, shen, second):
    assert diff(shen, MONTH) == diff(city, MONTH)
    assert explain(shen, "U1", MONTH) == explain(city, "U1", MONTH)
    assert read_report(shen, MONTH) == read_report(city, MONTH)
    auditor = login(city, "p_audit", "auditor")
    assert verify(auditor, MONTH, chain_only=True).is_ok and diff(auditor, MONTH).causes
    noted = verify(auditor, MONTH, chain_only=True).release.hash[:12]
    assert verify(auditor, MONTH, chain_only=True, expected=noted).is_ok
    assert not verify(auditor, MONTH, 1, chain_only=True, expected=noted).is_ok
    earlier = verify(auditor, MONTH, 1, chain_only=True).release.hash
    told = verify(
        auditor, MONTH, chain_only=True, expected=earlier[:12]
    )  # the newest, with what was noted of the first
    assert told.is_ok and any("第 1 次修订的哈希，那一次仍在链上" in note for note in told.notes)
    [wrong] = verify(auditor, MONTH, chain_only=True, expected="0" * 12).findings
    assert wrong.what_zh.endswith("不是所给的 000000000000")
    plain = verify(auditor, MONTH)
    assert plain.is_ok and plain.differences is None and any("只校验哈希链" in note for note in plain.notes)


@pytest.mark.long
def test_every_revision_stays_readable_and_computes_anew(city, first, second):
    late = "select count(*) from publish.evidence_of_release where release_id = %s and excluded_reason is null"
    assert rows(city, late + " and indicator_code = 'close_on_time'", first.release_id) == [(3,)]
    assert rows(city, late + " and indicator_code = 'close_on_time'", second.release_id) == [(3,)]
    scores = rows(city, "select revision, unit_code, score_100 from publish.unit_score order by 1, 2")
    assert len(scores) == 4 and scores[0][2] < scores[2][2] and scores[1][2] == scores[3][2]
    assert second.previous_hash == first.hash
    for revision in (1, 2):
        found = verify(city, MONTH, revision)
        assert found.is_ok and found.differences == () and found.releases == 2, found
    assert rows(city, "select 1 from pg_namespace where nspname = 'minhu_verify'") == []


def test_a_revision_is_explained_as_it_was_published(city, shen, first, second):
    def lost(found):
        (part,) = [part for part in found.indicators if part.code == "close_on_time"]
        return found.revision, found.score_100, part.lost, sorted(cost.case_no[-1] for cost in part.costs)

    was, now = (explain_release(shen, "U1", MONTH, revision=revision) for revision in (1, 2))
    assert lost(was)[3] == ["5", "6"] and lost(now)[3] == ["6"] and lost(was)[1] < lost(now)[1]
    assert lost(explain_release(shen, "U1", MONTH)) == lost(now)
    assert lost(explain(shen, "U1", MONTH))[1:] == lost(now)[1:]
    assert "第 1 次发布" in render_explanation(was) and "次发布" not in render_explanation(explain(shen, "U1", MONTH))
    with pytest.raises(Refused, match="no published revision 3"):
        explain_release(shen, "U1", MONTH, revision=3)


@pytest.mark.parametrize("who", ["bi", "unit", "evaluator", "auditor", "owner"])
@pytest.mark.parametrize("table", TABLES)
def test_nobody_changes_what_was_published(city, second, who, table):
    reader = city if who == "owner" else login(city, f"p_{who}", who, unit="U2" if who == "unit" else None)
    overriding = "overriding system value" if table in ("closing", "release") else ""
    for act in (
        f"update publish.{table} set scheme_id = 'x'",
        f"delete from publish.{table}",
        f"truncate publish.{table} cascade",
        f"insert into publish.{table} {overriding} select * from publish.{table}",
    ):
        act = act.replace("scheme_id = 'x'", "data = '{}'") if table == "frozen_row" else act
        with database.connect(reader) as connection, pytest.raises(psycopg.Error) as told:
            connection.execute("set transaction read write")
            connection.execute(act)
        assert told.value.sqlstate == "42501" if who != "owner" else told.value.sqlstate in ("P0001", "23505"), act


def test_readers_read_what_is_published_and_a_unit_the_cases_behind_its_own(city, second):
    for who in ("bi", "unit", "evaluator", "auditor"):
        reader = login(city, f"p_{who}", who, unit="U2" if who == "unit" else None)
        for table in TABLES[2:]:
            assert rows(reader, f"select 1 from publish.{table}"), (who, table)
        units = {unit for (unit,) in rows(reader, "select unit_code from publish.evidence_of_release")}
        assert units == ({"U2"} if who == "unit" else {"U1", "U2"})
        if who == "bi":
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                rows(reader, "select 1 from publish.frozen_row")
        else:
            assert rows(reader, "select 1 from publish.closing")
            told = rows(reader, "select distinct data ->> 'unit_code' from publish.frozen_row where kind = 'evidence'")
            assert {unit for (unit,) in told} == units
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(reader, "select publish.close('linan', 'x', '2026-10', 1, '{}')")


TAMPERING = {
    "a score": (
        "update publish.unit_score set score_100 = score_100 + 0.01 where release_id = 1 and unit_code = 'U2'",
        ["publish.unit_score 第 2 行：内容被改动（U2）"],
    ),
    "a score and its hash": (
        "update publish.unit_score set score_100 = 99, hash = publish.link(null, previous_hash, publish.canonical("
        " to_jsonb(jsonb_populate_record(unit_score, '{\"score_100\": 99}')) - 'hash' - 'previous_hash'))"
        " where release_id = 1 and unit_code = 'U1'",
        ["publish.unit_score 第 2 行：与上一行的哈希不衔接（U2）"],
    ),
    "evidence": (
        "delete from publish.evidence where release_id = 2 and row_no = (select max(row_no) from publish.evidence"
        " where release_id = 2)",
        ["publish.scheme 第", "行缺失或重复（其后一行：linan）", "第 2 次发布"],
    ),
    "the last row": (
        "delete from publish.indicator where release_id = 2 and row_no = (select max(row_no) from publish.indicator"
        " where release_id = 2)",
        ["publish.release：应有", "第 2 次发布"],
    ),
    "who approved": (
        "update publish.release set approved_by = 'somebody' where release_id = 2",
        ["publish.release：发布记录被改动"],
    ),
    "an approval": (
        "update assess.approval set reason = reason, approved_by = 'x'",
        ["publish.release：审批记录与发布不符"],
    ),
    "what was approved": (
        "update publish.frozen_row set data = data || '{\"score_100\": 1}' where closing_id = 1 and row_no = 1",
        ["publish.release：发布的内容与审批时冻结的内容不符"],
    ),
    "a whole revision": (
        "delete from publish.release where revision = 1",
        ["publish.release：与上一次发布的哈希不衔接", "所属发布不存在"],
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_what_a_superuser_changes_is_named(city, second, what):
    statement, told = TAMPERING[what]
    with database.connect(city) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(statement).rowcount
        _, _, findings = check_chain(connection)
        connection.rollback()
    said = "\n".join(map(str, findings))
    assert all(part in said for part in told), said
    assert verify(city, MONTH, chain_only=True).is_ok


def test_a_staged_row_that_was_altered_makes_other_numbers(city, first, second):
    alter = "update staging.case_record set milestones = replace(milestones::text, %s, %s)::jsonb where case_no = %s"
    number = case(1, "")["工单编号"]
    moments = ("2026-10-13T02:00:00", "2026-10-23T02:00:00")
    with database.connect(city) as connection:
        assert connection.execute(alter, [*moments, number]).rowcount == 1
    found = verify(city, MONTH, 1)
    assert not found.is_ok and not found.findings and not found.changed_inputs
    places = {(one.table, one.unit_code, one.indicator_code) for one in found.differences}
    assert ("unit_indicator", "U1", "close_on_time") in places and ("unit_score", "U1", None) in places
    with database.connect(city) as connection:
        connection.execute(alter, [*reversed(moments), number])
    assert verify(city, MONTH, 1).is_ok


def test_inputs_that_are_not_what_they_were_are_named(city, first):
    with database.connect(city) as connection:
        connection.execute("update audit.batch set source_sha256 = 'x' || source_sha256 where batch_id = 1")
    try:
        assert verify(city, MONTH, 1).changed_inputs == ("batches",)
    finally:
        with database.connect(city) as connection:
            connection.execute("update audit.batch set source_sha256 = substr(source_sha256, 2) where batch_id = 1")


def test_after_retention_only_hashes_are_checked_and_that_is_said(city, first, second):
    with database.connect(city) as connection:
        taken = connection.execute("create table kept as select * from staging.case_record where batch_id = 1").rowcount
        connection.execute("delete from staging.case_record where batch_id = 1")
    found = verify(city, MONTH, 1)
    assert "staging：1 个批次的接入行数与登记不符（首个为批次 1）" in found.changed_inputs and found.differences
    with database.connect(city) as connection:
        connection.execute("alter table audit.pruned drop constraint pruned_what_check")
        connection.execute(
            "insert into audit.pruned (batch_id, what, rows, kept_days) values (1, 'staged_rows', %s, 1)", [taken]
        )
    found = verify(city, MONTH, 1)
    assert found.is_ok and found.differences is None
    assert found.notes == (
        *UNPROVEN,
        "1 个批次的接入数据已按保存期限清除，只校验了哈希，未重算",
    )
    with database.connect(city) as connection:
        connection.execute("insert into staging.case_record select * from kept")
        connection.execute("delete from audit.pruned")


def test_other_code_is_said(city, first, monkeypatch):
    module = import_module("minhu.publish.verify")
    monkeypatch.setattr(module, "code_version", lambda: {"version": "9.9", "sha256": "f" * 64})
    found = verify(city, MONTH, 1, chain_only=True)
    assert "9.9（ffffffffffff）" in found.notes[1]


def test_a_release_is_compared_in_the_columns_that_it_was_made_with(city, first):
    """A column that came later is empty in it, whatever it would say today; one that it has is compared."""
    compare = import_module("minhu.publish.recompute")._compare_rows
    about = first, "unit_indicator", ("unit_code", "indicator_code")
    with database.connect(city) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("create schema minhu_verify")
        connection.execute(
            "create table minhu_verify.fct_unit_indicator as"
            " select * from publish.unit_indicator where release_id = %s",
            [first.release_id],
        )
        assert compare(connection, *about) == []
        filled = "update minhu_verify.fct_unit_indicator set shrunken_value = 0.5"
        assert connection.execute(filled).rowcount == len(compare(connection, *about)) > 0
        connection.execute("update publish.frozen_row set data = data - 'shrunken_value' where kind = 'unit_indicator'")
        assert compare(connection, *about) == []
        connection.execute("update minhu_verify.fct_unit_indicator set points = points + 1")
        assert compare(connection, *about)
        connection.rollback()


@pytest.mark.long
def test_places_are_told_where_the_scheme_publishes_them(scratch, tmp_path):
    ours = world.make(scratch, tmp_path, scheme=lambda text: f"{text}\npublication:\n  ranking: true\n")
    another = login(ours, "p_he", "evaluator")
    approve(another, close(ours, MONTH).closing_id)
    publish(another, MONTH, why=UNWITNESSED)
    deliver(ours, [case(7, "交通局", **LATE), case(9, "城管局", **LATE)], world.LAST)
    build(ours)
    revise(ours, MONTH, why="迟到的数据")
    _, units = show_release(ours, MONTH)
    columns = {change.column for one in diff(ours, MONTH).units for change in one.changes}
    assert [one["rank_in_group"] for one in units] == [1, 2]
    assert {"score_100", "rank_in_group"} <= columns
