"""Every command, tried as a person of each group: what must work, and what must be refused in words.

The city has two published revisions of October, with an appeal, a violation and a point by hand behind them.
"""

import re
from dataclasses import replace

import click
import psycopg
import pytest
import sqlalchemy
from click.testing import CliRunner

from minhu import assess, database
from minhu.cli import minhu
from minhu.errors import MinhuError
from minhu.publish import close, publish, revise, verify
from minhu.settings import Settings
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import LATE, UNWITNESSED, case, deliver, login
from tests.scenarios.city import confirm

MONTH = "2026-10"
NOT_ALLOWED = psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction
"""What the command line tells in one line, as it does an error of ours."""
EVERYBODY = {"evaluator", "auditor", "unit", "bi"}
READS: dict[str, set[str]] = {
    f"explain U1 {MONTH}": {"evaluator", "auditor", "unit"},
    f"explain U1 {MONTH} --revision 1": {"evaluator", "auditor", "unit"},
    f"explain U1 {MONTH} --indicator close_on_time --json": {"evaluator", "auditor", "unit"},
    f"explain U2 {MONTH}": {"evaluator", "auditor"},
    f"export {MONTH} --unit U1 --out {{out}}/own.xlsx": {"evaluator", "auditor", "unit"},
    f"export {MONTH} --unit U1 --revision 1 --out {{out}}/own.pdf": {"evaluator", "auditor", "unit"},
    f"export {MONTH} --unit U1 --out {{out}}/own.json": {"evaluator", "auditor", "unit"},
    f"export {MONTH} --unit U1 --out {{out}}/own.html": {"evaluator", "auditor", "unit"},
    f"export {MONTH} --unit U2 --out {{out}}/other.xlsx": {"evaluator", "auditor"},
    f"export {MONTH} --draft --out {{out}}/draft.json": {"evaluator", "auditor"},
    f"export {MONTH} --out {{out}}/all.csv --table evidence": {"evaluator", "auditor"},
    f"export {MONTH} --public --out {{out}}/public.pdf": {"evaluator", "auditor", "unit"},
    "releases list": EVERYBODY,
    f"releases show {MONTH} --revision 1": EVERYBODY,
    f"releases diff {MONTH}": {"evaluator", "auditor", "unit"},
    f"verify {MONTH}": EVERYBODY,
    f"verify {MONTH} --chain-only": EVERYBODY,
    f"verify {MONTH} --cases 2": EVERYBODY,  # who may not compute is told so
    "verify --access": {"auditor"},
    f"verify {MONTH} --strict": set(),  # it was published without a witness outside
    f"anchors show {MONTH}": EVERYBODY,
    "anchors list": {"evaluator", "auditor"},
    "closings list": {"evaluator", "auditor", "unit"},
    "closings show 2": {"evaluator", "auditor"},
    "appeals list": {"evaluator", "auditor", "unit"},
    "feedback list": {"evaluator", "auditor", "unit"},
    "feedback remarks": {"evaluator", "auditor", "unit"},
    "attachments list appeal 1": {"evaluator", "auditor", "unit"},
    "exclusions list": {"evaluator", "auditor"},
    "manual-points list": {"evaluator", "auditor"},
    "violations list": {"evaluator", "auditor"},
    "approvals list": {"evaluator", "auditor", "unit"},
    "approvals waiting": {"evaluator", "auditor"},
    "findings list": {"evaluator", "auditor"},
    "waivers list": {"evaluator", "auditor"},
    "deliveries list": {"evaluator", "auditor"},
    "feeds doctor": {"evaluator", "auditor"},
    "deliveries waivers": {"evaluator", "auditor"},
    "incidents list": {"evaluator", "auditor"},
    "incidents told": {"auditor"},
    "incidents digest": {"evaluator", "auditor"},
    "logins list": {"evaluator", "auditor"},
    "logins rights": EVERYBODY,
    "access list": {"auditor"},
    f"case h1 {case(5, '')['工单编号']} --why x": {"evaluator", "auditor"},
    "reconcile": {"auditor"},
    f"audit trace h1 {case(5, '')['工单编号']}": {"auditor"},
    f"audit sample {MONTH} --n 2 --seed x": {"evaluator", "auditor", "unit"},  # a unit's own cases
    f"audit bundle {MONTH}": {"auditor"},
    f"audit feeds {MONTH}": set(),  # no quality of feeds was scored
    f"audit gaming {MONTH}": {"auditor"},
    f"audit report {MONTH} --n 2 --seed x --out {{out}}": {"auditor"},
    "quality held": {"evaluator", "auditor"},
    "months list": {"evaluator", "auditor"},
    "months arrived": {"evaluator", "auditor"},
    "feeds unresolved": set(),
    "rejects 1 --why x --out {out}/rejects.csv": set(),
    "callers frequent --why x": set(),
    "export mart --out {out}/marts --why x": EVERYBODY,  # what each may read
    f"fairness {MONTH}": {"evaluator", "auditor"},
    f"fairness {MONTH} --revision 1 --json": {"evaluator", "auditor"},
    f"fairness {MONTH} --draft": {"evaluator", "auditor"},
    f"schemes simulate linan {MONTH} --file {{config}}/schemes/linan.yml": {"evaluator", "auditor"},
}
"""What reads, and who may. The rest of the groups is refused."""

ACTS: dict[str, set[str]] = {
    f"appeals file h1 {case(1, '')['工单编号']} --period {MONTH} --grounds x --statement x --evidence x": {"unit"},
    "appeals decide 2 denied --reason-code x --reason x": {"evaluator"},
    "appeals withdraw 1 --reason x": set(),  # it is decided
    f"exclusions add h1 {case(8, '')['工单编号']} --reason-code x --reason x": {"evaluator"},
    "exclusions revoke appeal:1 --reason x": {"evaluator"},
    "violations add U2 not_handled --found 2026-10-20 --reason x": {"evaluator"},
    "violations revoke 1 --reason x": {"evaluator"},
    "manual-points load {out}/points.csv": set(),  # it holds no row
    "manual-points revoke 1 --reason x --evidence x": set(),  # there is none
    "approvals add violation 1 --reason x": set(),  # it is confirmed
    "waivers add x --feed h1 --until 2026-12-01 --reason x": set(),  # nothing failed
    "waivers revoke 1 --reason x": set(),
    "deliveries waive h1 --from 2026-10-01 --to 2026-10-02 --reason x": {"evaluator"},
    "deliveries unwaive 1 --reason x": {"evaluator"},
    "incidents look": set(),
    "quality release 1 --why x": set(),  # it is not held
    f"close {MONTH}": set(),
    f"revise {MONTH} --why x": set(),
    "build": set(),
    "load h1": set(),
    "replay 1": set(),
    "prune": set(),
    f"months detach {MONTH}": set(),
    f"months attach {MONTH}": set(),
    f"score {MONTH}": set(),
    "feedback open 1": set(),  # it is published
    "feedback remark 1 --statement x": set(),  # it is not open
    "feedback answer 1 stays_as_it_is --reason x": set(),  # nobody remarked
    "attachments add exclusion 1 {out}/none.pdf": set(),  # there is no such file
    "attachments take 1": set(),  # nothing is attached
    "attachments remove 1 --reason x": set(),
    "logins add eve --group evaluator": set(),
    "logins drop r_shen": set(),
    f"logins key r_gu {'0' * 64}": set(),
    "logins identify eve --method cert --as x": set(),
    "logins sends eve h1": set(),
    "logins same eve eve2": set(),
    "logins forget-factor eve": set(),
    "logins name eve x": set(),
    f"publish {MONTH} --why x": set(),  # it is published
    "anchors send": set(),  # the city names no witness
    f"audit bundle {MONTH} --why x": {"auditor"},
    "audit bundle --allow 1 --why x": set(),  # the first row of the log is no request
    "audit bundle --take 1 --out {out}/bundle.zip": set(),
    "quality run": set(),
    "federation grant eve": set(),
    "federation join x postgresql://x@127.0.0.1:1/warehouse": set(),
    "federation refresh": set(),
    "federation list": set(),
    "federation check": set(),
    "federation leave x": set(),
}
"""What acts, computes or writes, and who may; nobody where the city's state refuses it to whoever asks."""

WITHOUT_DATABASE = {
    "up", "down", "portal", "worker", "service install", "backup", "restore", "standby make",
    "standby up", "standby down", "standby status", "standby drop", "status", "doctor", "psql", "simulate",
    "tune", "demo", "dictionary", "bi superset", "bi semantic",
    "keys list", "keys rotate", "keys export", "keys import", "keys approver", "homes list", "homes forget",
    "incidents probe",
    "quality coverage", "quality rules",
    "feeds list", "feeds check", "feeds new", "feeds preview", "feeds schema", "feeds contract",
    "anchors check", "schemes list", "schemes check", "schemes try", "schemes diff",
    "schemes schema", "schemes explain", "schemes say", "schemes new",
}  # fmt: skip
"""What runs on the machine of the installation, by who has its files."""


def commands(found: click.Command, name: str = ""):
    if isinstance(found, click.Group):
        for part, command in found.commands.items():
            yield from commands(command, f"{name} {part}".strip())
    else:
        yield name


def test_every_command_stands_in_the_tables():
    named = [*READS, *ACTS]
    untold = [
        name
        for name in commands(minhu)
        if name not in WITHOUT_DATABASE and not any(line == name or line.startswith(f"{name} ") for line in named)
    ]
    assert untold == []


@pytest.fixture(scope="module")
def people(scratch, tmp_path_factory) -> dict[str, Settings]:
    city = world.make(scratch, tmp_path_factory.mktemp("rights"))
    people = {
        "owner": city,
        "evaluator": login(city, "r_shen", "evaluator"),
        "auditor": login(city, "r_wu", "auditor"),
        "unit": login(city, "r_u1", "unit", unit="U1"),
        "bi": login(city, "r_bi", "bi"),
    }
    gu = login(city, "r_gu", "evaluator")

    def put_out(closing):
        world.judge(people["evaluator"], closing)
        publish(city, MONTH, why=UNWITNESSED)

    found = {"unit_code": "U1", "violation_code": "late_handling", "found_at": "2026-10-21 09:00+08", "reason": "督查"}
    assess.record(gu, "enter_violation", **found)
    confirm(people["evaluator"])
    build(city)
    put_out(close(city, MONTH))
    asked = {"period": MONTH, "grounds_code": "x", "statement": "非本单位职责", "evidence_ref": "2026-17"}
    about = {"feed_code": "h1", "case_no": case(5, "")["工单编号"]}
    filed = assess.record(people["unit"], "file_appeal", **asked, **about)
    assess.record(gu, "decide_appeal", appeal_id=filed, decision="granted", reason_code="x", reason="属实")
    confirm(people["evaluator"])
    about["case_no"] = case(6, "")["工单编号"]
    assess.record(people["unit"], "file_appeal", **asked, **about)
    deliver(city, [case(9, "交通局", **LATE)])
    build(city)
    put_out(revise(city, MONTH, why="申诉获准，补报一批"))
    return people


def run(person: Settings, line: str, monkeypatch, out) -> click.testing.Result:
    for name, value in (
        ("MINHU_HOME", person.home),
        ("MINHU_CONFIG", person.config),
        ("MINHU_DROP", person.drop),
        ("MINHU_DATABASE_URL", person.database_url),
    ):
        monkeypatch.setenv(name, str(value))
    return CliRunner().invoke(minhu, line.format(out=out, config=person.config).split())


@pytest.mark.parametrize("group", sorted(EVERYBODY))
def test_each_group_may_what_the_tables_say_and_is_refused_the_rest(people, group, monkeypatch, tmp_path):
    head = "考核办法,考核周期,单位代码,指标代码,分值,理由,佐证材料"
    (tmp_path / "points.csv").write_text(f"{head}\n", encoding="utf-8")
    wrong = []
    for line, groups in {**READS, **ACTS}.items():
        done = run(people[group], line, monkeypatch, tmp_path)
        is_refusal = isinstance(done.exception, (MinhuError, *NOT_ALLOWED)) or "--strict" in line
        if (done.exit_code == 0) != (group in groups) or not (done.exit_code == 0 or is_refusal):
            wrong.append(f"{line}: {done.exit_code} {done.exception!r} {done.output[-200:]}")
    assert wrong == [], "\n".join(wrong)


def test_a_unit_sees_its_own_rows_and_no_others(people):
    """Of every relation that it may read: the rows of U1, of the cases it has a duty on, or of everybody."""

    def seen(group, query):
        return world.rows(people[group], query)

    for table in ("mart.fct_timeliness", "mart.fct_satisfaction", "mart.fct_violation", "publish.evidence"):
        own = f"select count(*) from {table} where unit_code = 'U1'"
        assert seen("unit", own) == seen("auditor", own), table
        assert seen("unit", f"select count(*) from {table} where unit_code is distinct from 'U1'") == [(0,)], table
    of_duties = "select case_no from mart.fct_case where root_case_id in (select case_id from mart.fct_timeliness)"
    cases = seen("unit", "select case_no from mart.fct_case")
    assert sorted(cases) == sorted(seen("unit", of_duties))
    assert 0 < len(cases) < len(seen("auditor", "select 1 from mart.fct_case"))
    named = "(unit_code = 'U1' or unit_name_raw is null)"
    own_cases = ", ".join(f"'{case_id}'" for (case_id,) in seen("unit", "select case_id from mart.fct_case"))
    events = f"select event_id from mart.fct_event where {named} and case_id in ({own_cases}) order by 1"
    assert seen("unit", "select event_id from mart.fct_event order by 1") == seen("auditor", events) != []
    assert len(seen("auditor", f"select 1 from mart.fct_event where not {named}")) > 0
    assert {kind for (kind,) in seen("unit", "select distinct kind from config.entry")} <= {
        "scheme", "limit_rule", "city", "calendar",
    }  # fmt: skip
    for table in ("fct_unit_score", "fct_unit_indicator", "fct_evidence", "fct_indicator_case", "score_run"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            seen("unit", f"select 1 from mart.{table}")
    scores = "select count(*) from publish.unit_score"
    assert seen("unit", scores) == seen("auditor", scores)
    moved = "select count(*) from publish.frozen_row where kind = 'evidence' and data ->> 'unit_code' <> 'U1'"
    assert seen("unit", moved) == [(0,)] != seen("auditor", moved)


def test_whatever_a_unit_may_select_has_a_policy_or_is_for_everybody(people):
    """A relation that is granted to units later is thought about, too."""
    for_everybody = {
        "mart.dim_unit", "mart.dim_unit_name", "mart.dim_feed", "mart.dim_date", "mart.feed_quality",
        "mart.dim_category", "mart.dim_area", "mart.dim_code", "mart.relationship",
        "mart.freshness", "mart.fct_backlog_day",  # numbers of feeds; a view, with the rights of who asks
        "assess.decided_by_one",  # numbers alone
        # views, with the rights of who asks
        "assess.appeal_state", "assess.attachment_state",
        "assess.feedback_state", "assess.remark_state", "publish.evidence_of_release", "publish.row_of_release",
    }  # fmt: skip
    bare = world.rows(
        people["auditor"],
        "select relnamespace::regnamespace || '.' || relname from pg_class"
        " where relkind in ('r', 'v', 'm', 'p') and not relrowsecurity"
        " and relnamespace::regnamespace::text !~ '^(pg_|information_schema|public)'"
        " and has_table_privilege('minhu_unit', oid, 'select')"
        " and has_schema_privilege('minhu_unit', relnamespace, 'usage')",
    )
    assert {name for (name,) in bare} == for_everybody


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("update publish.unit_score set raw_points = raw_points + 1 where unit_code = 'U2'", "内容被改动"),
        ("update publish.evidence set due_at = due_at + interval '1 day' where unit_code = 'U1'", "内容被改动"),
        ("update publish.evidence set hash = repeat('0', 64) where unit_code = 'U2'", "不衔接"),
        ("delete from publish.evidence where unit_code = 'U2'", "不衔接|缺失|应有"),
        ("delete from publish.evidence where unit_code = 'U1'", "不衔接|缺失|应有"),
    ],
)
def test_a_unit_finds_what_was_changed_of_what_it_sees(people, copied, change, told):
    copy = copied(people["owner"])
    with database.connect(copy) as owner:
        for table in ("unit_score", "evidence"):
            owner.execute(f"alter table publish.{table} disable trigger user")
        owner.execute(change)
    place = sqlalchemy.make_url(copy.database_url).database
    url = sqlalchemy.make_url(people["unit"].database_url).set(database=place)
    unit = replace(people["unit"], database_url=url.render_as_string(hide_password=False))
    findings = verify(unit, MONTH).findings
    assert findings and re.search(told, findings[0].what_zh), findings
