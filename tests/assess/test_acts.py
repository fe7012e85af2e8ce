"""Who may decide what, what is refused and why, and that nothing is ever changed. The facts are the scoring city's."""

import re

import psycopg
import pytest

from minhu import database
from minhu.assess import listing, record
from minhu.database import logins as login_roles
from minhu.errors import Refused
from tests.assess.given import WHY, appeal, own, rows
from tests.scenarios.city import confirm, login_of

TABLES = (
    "feedback",
    "remark",
    "remark_answer",
    "attachment",
    "attachment_removal",
    "sender",
    "unit_login",
    "appeal",
    "appeal_decision",
    "exclusion",
    "manual_point",
    "violation",
    "approval",
    "waiver",
    "identity",
    "decided_by_one",
)
ACTS = {  # who may call what; the owner may call everything
    "bi": set(),
    "auditor": {"state_of_grant", "feeds_of", "ask_for_attachment", "read_attachment", "detach"},
    "unit": {
        "file_appeal", "withdraw_appeal", "own_units", "own_unit_codes", "codes_of", "state_of_grant",
        "attach", "detach", "ask_for_attachment", "read_attachment", "remark", "opened_rests_on_point",
    },
    "evaluator": {
        "own_units", "codes_of", "state_of_grant", "file_appeal", "withdraw_appeal", "decide_appeal", "exclude",
        "revoke_exclusion", "enter_manual_point", "revoke_manual_point", "enter_violation", "revoke_violation",
        "approve", "waive", "revoke_waiver", "waive_delivery", "revoke_delivery_waiver", "release_batch",
        "attach", "detach", "ask_for_attachment", "read_attachment", "feeds_of",
        "open_feedback", "answer_remark",
    },
}  # fmt: skip
CHANGED = {
    "unit_login": "login",
    "identity": "login",
    "person": "name",
    "appeal": "statement",
    "decided_by_one": "kind",
    "attachment": "name",
    "sender": "login",
    "feedback": "opened_by",
    "remark": "statement",
}
POINT = {
    "scheme_id": "exam",
    "period": "2026-10",
    "unit_code": "D1",
    "indicator_code": "reply_quality",
    "points": "-2",
    "reason": "通报扣分",
    "evidence_ref": "通报〔2026〕3号",
}


def test_who_and_when_are_the_logins_and_the_databases(logins):
    filed = record(logins["d1"], "file_appeal", **appeal(logins["owner"]))
    record(logins["ping"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    (told,) = [one for one in listing(logins["shen"], "appeals") if one["appeal_id"] == filed]
    assert (told["filed_by"], told["decided_by"]) == (login_of(logins["d1"]), login_of(logins["ping"]))
    assert (told["state"], told["from_revision"]) == ("awaits_confirmation", 1)
    assert told["reason_code"] == "beyond_duty"
    assert told["filed_at"] < told["decided_at"]


def test_even_the_owner_cannot_sign_for_another(city):
    with database.connect(city) as owner:
        signed = owner.execute(
            "insert into assess.exclusion (case_id, reason_code, reason, decided_by, decided_at)"
            " values ('x', 'x', 'x', 'someone_else', '2020-01-01') returning decided_by, decided_at > now() - '1 day'"
            "::interval"
        ).fetchone()
        assert signed == (login_of(city), True)
        owner.rollback()


def test_a_name_that_was_only_taken_decides_nothing_and_sees_nothing(city, logins):
    """The owner of an embedded server is a superuser, who may go by any name; his approval would pass for another's."""
    given = POINT | {"unit_code": "D2", "evidence_ref": "通报〔2026〕9号"}
    point = record(logins["ping"], "enter_manual_point", **given)
    acts = (
        f"assess.approve('manual_point', '{point}', 'approved', '属实')",
        "assess.file_appeal('2026-10', 'D1', 'x', 'x', 'x', 'x')",
    )
    nobody = f"nobody has proved to be the login {login_of(logins['gu'])}: the server authenticated"
    with database.connect(city, autocommit=True) as owner:
        owner.execute(f"set session authorization {login_of(logins['gu'])}")
        for act in acts:
            with pytest.raises(psycopg.errors.RaiseException, match=nobody):
                owner.execute(f"select {act}")
        owner.execute(f"reset session authorization; set session authorization {login_of(logins['d1'])}")
        assert owner.execute("select assess.own_units()").fetchall() == []
        assert owner.execute("select count(*) from assess.appeal").fetchone() == (0,)
    assert rows(city, "select count(*) from assess.approval where subject_id = %s", str(point)) == [(0,)]
    assert record(
        logins["gu"], "approve", subject_kind="manual_point", subject_id=str(point), verdict="rejected", reason="x"
    )


@pytest.mark.parametrize("who", ["owner", "ping", "shen", "bao", "d1"])
@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_changed_or_deleted_by_anybody(logins, who, table):
    for statement in (
        f"update assess.{table} set {CHANGED.get(table, 'reason')} = 'x'",
        f"delete from assess.{table}",
        f"delete from assess.{table} where false",
        f"truncate assess.{table} cascade",
    ):
        told = psycopg.errors.RaiseException if who == "owner" else psycopg.errors.InsufficientPrivilege
        with database.connect(logins[who]) as connection, pytest.raises(told, match=r"append-only|permission denied"):
            connection.execute(f"set transaction read write; {statement}")


@pytest.mark.parametrize("who", ["ping", "shen", "bao", "d1"])
@pytest.mark.parametrize("table", TABLES)
def test_nobody_writes_a_table(logins, who, table):
    with database.connect(logins[who]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"set transaction read write; insert into assess.{table} default values")


@pytest.mark.parametrize("group", ACTS)
def test_each_group_does_its_acts_and_no_other(city, group):
    found = rows(
        city,
        "select proname from pg_proc where pronamespace = 'assess'::regnamespace"
        " and has_function_privilege(%s, oid, 'execute')"
        " and has_schema_privilege(%s, 'assess', 'usage')",
        f"minhu_{group}",
        f"minhu_{group}",
    )
    assert {name for (name,) in found} - {"actor", "acting", "authenticated"} == ACTS[group]


def test_every_act_fixes_its_search_path(city):
    loose = rows(
        city,
        "select proname from pg_proc where pronamespace = 'assess'::regnamespace"
        " and not coalesce(array_to_string(proconfig, ',') like 'search_path=pg_catalog, pg_temp', false)",
    )
    assert loose == []


@pytest.mark.parametrize(
    ("who", "act"), [("bao", "exclude"), ("shen", "exclude"), ("d1", "exclude"), ("d1", "approve")]
)
def test_an_act_of_another_group_is_refused_in_one_line(logins, who, act):
    given = {"exclude": {"case_id": "x", **WHY}, "approve": {"subject_kind": "manual_point", "subject_id": "1"}}[act]
    if act == "approve":
        given |= {"verdict": "approved", "reason": "x"}
    with pytest.raises(Refused, match="may not do this"):
        record(logins[who], act, **given)


def test_an_indicator_is_known_by_its_name_where_one_alone_has_it(city, logins):
    asked = "select assess.codes_of(%s::text[], %s)"
    with database.connect(logins["d1"]) as connection:
        told = connection.execute(asked, [["按时办结率", "sign_on_time", "没有的"], None]).fetchone()[0]
        assert told == ["close_on_time", "sign_on_time", "没有的"]  # the act itself refuses what nobody has
    other = '{"indicators": [{"code": "closed_in_time", "name_zh": "按时办结率"}]}'
    with database.connect(city) as owner:
        owner.execute(
            "insert into config.entry (kind, key, since_version, data)"
            " select 'scheme', 'other', max(since_version), %s::jsonb from config.entry",
            [other],
        )
        assert owner.execute(asked, [["按时办结率"], "other"]).fetchone()[0] == ["closed_in_time"]
        with pytest.raises(psycopg.errors.RaiseException, match="one of close_on_time, closed_in_time"):
            owner.execute(asked, [["按时办结率"], None])
        owner.rollback()


def test_nobody_decides_what_he_filed_whoever_he_is(logins):
    for who in ("owner", "ping"):
        filed = record(logins[who], "file_appeal", **appeal(logins["owner"], "D1", 1 if who == "owner" else 2))
        with pytest.raises(Refused, match="another person than who filed it"):
            record(logins[who], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
        assert record(logins["gu"], "decide_appeal", appeal_id=filed, decision="denied", **WHY)


def test_who_speaks_for_the_unit_does_not_decide_its_appeal(logins):
    filed = record(logins["d6"], "file_appeal", **appeal(logins["owner"], "D6"))
    with database.connect(logins["owner"]) as owner:
        owner.execute("select assess.set_unit_login(%s, 'D6')", [login_of(logins["gu"])])
    with pytest.raises(Refused, match="another person than who filed it"):
        record(logins["gu"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    with database.connect(logins["owner"]) as owner:
        owner.execute("select assess.set_unit_login(%s, 'D6', false)", [login_of(logins["gu"])])
    assert record(logins["gu"], "decide_appeal", appeal_id=filed, decision="granted", from_revision=3, **WHY)
    with pytest.raises(Refused, match="decided already: granted"):
        record(logins["ping"], "decide_appeal", appeal_id=filed, decision="denied", **WHY)


def test_a_unit_files_for_itself_alone(logins):
    with pytest.raises(Refused, match="does not speak for the unit 'D6'"):
        record(logins["d1"], "file_appeal", **appeal(logins["owner"], "D6", 1))
    own_unit = appeal(logins["owner"], "D1", 3)
    del own_unit["unit_code"]
    filed = record(logins["d1"], "file_appeal", **own_unit)
    assert rows(logins["owner"], "select unit_code from assess.appeal where appeal_id = %s", filed) == [("D1",)]
    with pytest.raises(Refused, match="term for deciding is not set by who appeals"):
        record(logins["d1"], "file_appeal", **appeal(logins["owner"], "D1", 4, decide_by="2030-01-01"))


def test_a_unit_sees_its_own_appeals_and_nothing_else(logins):
    with database.connect(logins["owner"]) as owner:
        units = {unit for (unit,) in owner.execute("select unit_code from assess.appeal")}
    assert {"D1", "D6"} <= units
    for who, unit in (("d1", "D1"), ("d6", "D6")):
        for view in ("appeal", "appeal_state"):
            assert set(rows(logins[who], f"select unit_code from assess.{view}")) == {(unit,)}
        seen = {one["appeal_id"] for one in listing(logins[who], "appeals")}
        assert set(rows(logins[who], "select appeal_id from assess.appeal_decision")) <= {(one,) for one in seen}
        for what in ("exclusions", "manual-points", "violations", "unconfirmed"):
            with pytest.raises(Refused, match="does not read"):
                listing(logins[who], what)
    for who in ("ping", "shen"):
        assert {one["unit_code"] for one in listing(logins[who], "appeals")} == units
    with pytest.raises(Refused, match="does not read appeals"):
        listing(logins["bao"], "appeals")


def test_a_login_made_anew_under_an_old_name_speaks_for_nobody(city):
    with database.connect(city, autocommit=True) as owner:
        login_roles.add_login(owner, "again", "unit", unit="D1")
        listed = next(one for one in login_roles.logins(owner) if one["name"] == "again")
        assert (listed["units"], listed["group"]) == ("D1", "unit")
        login_roles.drop_login(owner, "again")
        login_roles.add_login(owner, "again", "unit", unit="D6")
        listed = next(one for one in login_roles.logins(owner) if one["name"] == "again")
        assert listed["units"] == "D6"
        login_roles.drop_login(owner, "again")
        for group, unit in (("unit", None), ("bi", "D1"), ("unit", "NONE")):
            with pytest.raises(Refused, match=r"speaks for one unit|no unit has the code"), owner.transaction():
                login_roles.add_login(owner, "again", group, unit=unit)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"statement": "  "}, "the statement is missing"),
        ({"evidence_ref": ""}, "the evidence is missing"),
        ({"grounds_code": "不知道"}, "grounds_code is no code"),
        ({"period": "October"}, "no period"),
        ({"case_id": "nowhere"}, "no case of this hotline has this number"),
        ({"assignment_id": "nowhere"}, "does not stand on this case"),
        ({"assignment_id": "of_another"}, "does not stand on this case"),
        ({"unit_code": "D2"}, "not one of the unit D2"),
        ({"unit_code": "D9"}, "no unit has the code 'D9'"),
        ({"indicator_codes": ["close_on_time", "kindness"]}, "the code 'kindness'"),
        ({"scheme_id": "nowhere"}, "there is no scheme"),
        ({"is_whole_case": True}, "not both"),
    ],
)
def test_what_is_not_plausible_is_refused(logins, changes, told):
    if changes.get("assignment_id") == "of_another":
        changes = {"assignment_id": own(logins["owner"], "D6")[0]}
    with pytest.raises(Refused, match=told) as refused:
        record(logins["ping"], "file_appeal", **appeal(logins["owner"], "D1", 4, **changes))
    chinese, _, _ = str(refused.value).partition(" / ")
    assert re.search("[\u4e00-\u9fff]", chinese), "units read Chinese"


def test_without_an_assignment_it_is_the_units_only_one(logins):
    assignment, case = own(logins["owner"], "D2")
    asked = appeal(logins["owner"], "D2")
    del asked["assignment_id"]
    filed = record(logins["ping"], "file_appeal", **asked)
    whole = record(logins["ping"], "file_appeal", **asked, is_whole_case=True)
    found = rows(
        logins["owner"], "select assignment_id from assess.appeal where appeal_id in (%s, %s) order by 1", filed, whole
    )
    assert found == [(assignment,), (None,)]
    with database.connect(logins["owner"]) as owner:
        owner.execute("update mart.fct_timeliness set unit_code = 'D2', case_id = %s where unit_code = 'T4'", [case])
    with pytest.raises(Refused, match=r"派单时间：2026-0.*，2026-10-.* / the unit has 2 assignments"):
        record(logins["ping"], "file_appeal", **asked, indicator_codes=["close_on_time"])
    with pytest.raises(Refused, match="no assignment on this case"):
        record(logins["ping"], "file_appeal", **asked | {"unit_code": "T1"}, is_whole_case=True)


def test_the_same_is_not_asked_twice_while_it_is_open(logins):
    asked = appeal(logins["owner"], "D7")
    filed = record(logins["ping"], "file_appeal", **asked)
    with pytest.raises(Refused, match=f"asked by appeal {filed}"):
        record(logins["gu"], "file_appeal", **asked)
    record(logins["gu"], "decide_appeal", appeal_id=filed, decision="denied", **WHY)
    assert record(logins["ping"], "file_appeal", **asked)


def test_who_filed_withdraws_and_others_do_not(logins):
    filed = record(logins["d1"], "file_appeal", **appeal(logins["owner"], "D1", 5))
    for who in ("d6", "ping", "owner"):
        with pytest.raises(Refused, match="only who filed"):
            record(logins[who], "withdraw_appeal", appeal_id=filed, reason="不再申诉")
    record(logins["d1"], "withdraw_appeal", appeal_id=filed, reason="不再申诉")
    assert [one["state"] for one in listing(logins["d1"], "appeals") if one["appeal_id"] == filed] == ["withdrawn"]


def test_the_term_ends_with_the_nth_working_day_after_the_filing(logins):
    """Tomorrow and the day after are days of rest: two working days end with the fourth day from today."""
    with database.connect(logins["owner"]) as owner:
        owner.execute(
            "insert into config.entry values ('appeal_term', 'x',"
            ' \'{"valid_from": "2020-01-01", "appeal_decide_workdays": 2}\', 1)'
        )
        owner.execute(
            "insert into mart.dim_date (date_on, is_workday, is_makeup_workday, workday_no, calendar_status)"
            " select (now() at time zone 'Asia/Shanghai')::date + n, no > 10 or n = 0, false, no, 'official'"
            " from (values (0, 10), (1, 10), (2, 10), (3, 11), (4, 12), (5, 12), (6, 13)) as day (n, no)"
        )
    filed = record(logins["d6"], "file_appeal", **appeal(logins["owner"], "D6", indicator_codes=["sign_on_time"]))
    due = rows(
        logins["owner"],
        "select decide_by = ((filed_at at time zone 'Asia/Shanghai')::date + 5)::timestamp at time zone 'Asia/Shanghai'"
        " from assess.appeal where appeal_id = %s",
        filed,
    )
    with database.connect(logins["owner"]) as owner:
        owner.execute("delete from mart.dim_date")
        owner.execute("delete from config.entry where kind = 'appeal_term'")
    assert due == [(True,)]


def test_an_appeal_past_its_term_is_overdue_until_it_is_decided(logins):
    filed = record(logins["ping"], "file_appeal", **appeal(logins["owner"], "D6", 1), decide_by="2026-01-01 00:00+08")
    assert filed in {one["appeal_id"] for one in listing(logins["ping"], "appeals", state="overdue")}
    record(logins["gu"], "decide_appeal", appeal_id=filed, decision="denied", **WHY)
    assert filed in {one["appeal_id"] for one in listing(logins["ping"], "appeals", state="denied")}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"decision": "maybe"}, "granted or denied"),
        ({"decision": "denied", "from_revision": 2}, "only a granted appeal names a revision"),
        ({"decision": "granted", "from_revision": 0}, "counted from 1"),
        ({"decision": "granted", "reason": " "}, "the reason is missing"),
        ({"decision": "granted", "reason_code": ""}, "reason_code is no code"),
        ({"decision": "granted", "appeal_id": 999999}, "there is no appeal 999999"),
    ],
)
def test_a_decision_that_says_too_little_is_refused(logins, given, told):
    open_one = rows(logins["owner"], "select appeal_id from assess.appeal_state where state = 'filed' order by 1")[0][0]
    with pytest.raises(Refused, match=told):
        record(logins["gu"], "decide_appeal", **{"appeal_id": open_one} | WHY | given)


def test_what_is_excluded_is_revoked_once_and_by_its_name(logins):
    _, case = own(logins["owner"], "T1")
    made = record(logins["ping"], "exclude", case_id=case, **WHY)
    with pytest.raises(Refused, match=f"excluded already, by decision:{made}"):
        record(logins["gu"], "exclude", case_id=case, **WHY)
    record(logins["gu"], "revoke_exclusion", exclusion_id=f"decision:{made}", reason="复核后恢复")
    with pytest.raises(Refused, match="revoked already"):
        record(logins["gu"], "revoke_exclusion", exclusion_id=f"decision:{made}", reason="复核后恢复")
    assert record(logins["ping"], "exclude", case_id=case, **WHY) > made
    for name, told in (
        ("hotline:1", "lifted by the hotline"),
        ("decision:999999", "nothing is excluded by"),
        (f"decision:{made + 1}", "nothing is excluded by"),  # the revocation itself
        ("appeal:999999", "nothing is excluded by"),
    ):
        with pytest.raises(Refused, match=told):
            record(logins["gu"], "revoke_exclusion", exclusion_id=name, reason="复核后恢复")


def in_force(city):
    return {one for (one,) in rows(city, "select manual_point_id from assess.manual_point_in_force")}


def test_a_manual_point_counts_once_another_login_approves_it(logins):
    made = record(logins["ping"], "enter_manual_point", **POINT)
    with pytest.raises(Refused, match=f"entered already, as manual point {made}"):
        record(logins["gu"], "enter_manual_point", **POINT)
    verdict = {"subject_kind": "manual_point", "subject_id": str(made), "verdict": "approved", "reason": "与通报一致"}
    with pytest.raises(Refused, match="another person than who entered it"):
        record(logins["ping"], "approve", **verdict)
    assert made not in in_force(logins["owner"])
    record(logins["gu"], "approve", **verdict)
    assert made in in_force(logins["owner"])
    with pytest.raises(Refused, match="judged the manual_point"):
        record(logins["gu"], "approve", **verdict)
    back = record(logins["ping"], "revoke_manual_point", manual_point_id=made, reason="通报已撤销", evidence_ref="4号")
    assert made in in_force(logins["owner"])
    record(logins["gu"], "approve", **verdict | {"subject_id": str(back)})
    assert made not in in_force(logins["owner"]) and back not in in_force(logins["owner"])
    states = {one["manual_point_id"]: one["state"] for one in listing(logins["shen"], "manual-points")}
    assert (states[made], states[back]) == ("revoked", "approved")


def test_one_rejection_keeps_a_manual_point_out(logins):
    made = record(logins["ping"], "enter_manual_point", **POINT | {"points": "1.5"})
    verdict = {"subject_kind": "manual_point", "subject_id": str(made), "reason": "缺少依据"}
    record(logins["owner"], "approve", **verdict, verdict="approved")
    record(logins["gu"], "approve", **verdict, verdict="rejected")
    assert made not in in_force(logins["owner"])
    again = record(logins["ping"], "enter_manual_point", **POINT | {"points": "1.5"})
    assert again > made


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scheme_id": "nowhere"}, "there is no scheme"),
        ({"scheme_id": ""}, "the scheme is missing"),
        ({"indicator_code": "kindness"}, "no indicator of the scheme exam"),
        ({"indicator_code": "close_on_time"}, "'close_on_time' of the scheme 'exam' .* takes no points by hand"),
        ({"points": "NaN"}, "points are a number"),
        ({"evidence_ref": " "}, "the evidence is missing"),
        ({"unit_code": "nobody"}, "no unit has the code"),
    ],
)
def test_a_manual_point_that_cannot_count_is_refused(logins, changes, told):
    with pytest.raises(Refused, match=told):
        record(logins["ping"], "enter_manual_point", **POINT | changes)


@pytest.mark.parametrize(
    ("kind", "subject", "told"), [("weather", "1", "not 'weather'"), ("manual_point", "x", "no manual")]
)
def test_what_nobody_made_is_not_approved(logins, kind, subject, told):
    with pytest.raises(Refused, match=told):
        record(logins["gu"], "approve", subject_kind=kind, subject_id=subject, verdict="approved", reason="好")


def test_a_violation_is_entered_on_a_unit_or_on_its_assignment(logins):
    assignment, case = own(logins["owner"], "D6")
    found = {"violation_code": "late_handling", "found_at": "2026-10-22 10:00+08", "reason": "督查通报"}
    on_unit = record(logins["ping"], "enter_violation", unit_code="D6", **found)
    record(logins["ping"], "enter_violation", unit_code="D6", case_id=case, assignment_id=assignment, **found)
    for changes, told in (
        ({"unit_code": "D1", "case_id": case, "assignment_id": assignment}, "not one of the unit D1"),
        ({"unit_code": "D6", "assignment_id": assignment}, "named with its case"),
        ({"unit_code": "D6", "violation_code": "rude"}, "not_handled, late_handling or"),
        ({"unit_code": "D6", "found_at": "2099-01-01"}, "still to come"),
    ):
        with pytest.raises(Refused, match=told):
            record(logins["ping"], "enter_violation", **found | changes)
    record(logins["gu"], "revoke_violation", violation_id=on_unit, reason="复核不成立")
    with pytest.raises(Refused, match="revoked already"):
        record(logins["gu"], "revoke_violation", violation_id=on_unit, reason="复核不成立")
    assert {one["state"] for one in listing(logins["shen"], "violations")} == {"awaits_confirmation"}
    confirm(logins["zhao"])
    assert {one["state"] for one in listing(logins["shen"], "violations")} == {"revoked", "in_force"}


def test_free_text_is_masked_before_it_is_stored(logins):
    spoken = "来电人13812345678，身份证330106199003071233"
    filed = record(logins["d6"], "file_appeal", **appeal(logins["owner"], "D6", 1, statement=spoken))
    record(logins["gu"], "decide_appeal", appeal_id=filed, decision="denied", reason_code="x", reason=spoken)
    (stored,) = [one for one in listing(logins["gu"], "appeals") if one["appeal_id"] == filed]
    assert stored["statement"] == stored["reason"] == "来电人138****5678，身份证3301**************"
    with pytest.raises(Refused, match=r"no unit has the code '138\*\*\*\*5678'"):
        record(logins["gu"], "file_appeal", **appeal(logins["owner"], "D6", 1, unit_code="13812345678"))


@pytest.mark.parametrize("spelt", ["13812345678", "138－1234－5678", "一三八一二三四五六七八", "330106199003071233"])
def test_the_database_itself_refuses_a_number_in_a_reason_and_does_not_repeat_it(logins, spelt):
    given = appeal(logins["owner"], "D6", 1, statement=f"来电人{spelt}重复反映")
    with database.connect(logins["owner"]) as connection:
        before = database.one(connection, "select count(*) from assess.appeal")
        with pytest.raises(Refused, match=r"statement 里有手机号或身份证号.*take it out") as told:
            database.act(connection, "assess.file_appeal", given)
        assert spelt not in str(told.value)
    with database.connect(logins["owner"]) as connection:
        assert database.one(connection, "select count(*) from assess.appeal") == before


def test_every_table_of_what_people_write_refuses_numbers(logins):
    """A new table with a reason or a statement needs the trigger too."""
    query = """
        select distinct format('%s.%s', told.table_schema, told.table_name) from information_schema.columns as told
        join information_schema.tables using (table_schema, table_name)
        where table_type = 'BASE TABLE' and (
            table_schema = 'assess' and column_name in ('reason', 'statement')
            or table_name in ('access_log', 'closing', 'release', 'batch_verdict') and column_name = 'why'
        ) and not exists (
            select from pg_trigger where tgname = 'no_number'
                and tgrelid = format('%I.%I', told.table_schema, told.table_name)::regclass
        )
    """
    with database.connect(logins["owner"]) as connection:
        assert connection.execute(query).fetchall() == []
