"""What takes two persons: it waits for the second, who is not the first and speaks for no unit that it is about."""

import shutil

import psycopg
import pytest

from minhu import database
from minhu.assess import listing, record
from minhu.errors import Refused
from tests.assess.given import WHY, appeal, own, rows
from tests.scenarios.city import login_of

FOUND = {"violation_code": "late_handling", "found_at": "2026-10-22 10:00+08", "reason": "督查通报"}


def waits(logins):
    """What the next build would take."""
    return set(rows(logins["owner"], "select kind, decision_id from audit.decision_to_build"))


def judge(who, kind, number, verdict="approved"):
    return record(who, "approve", subject_kind=kind, subject_id=str(number), verdict=verdict, reason="已复核")


def state(logins, kind, number):
    query = "select state from assess.decision_of_two where kind = %s and decision_id = %s"
    return rows(logins["shen"], query, kind, number)[0][0]


def granted(logins, unit="D1", place=0, by="gu", **how):
    """An appeal that a unit filed and an evaluator granted, and the number of the grant."""
    filed = record(logins[unit.lower()], "file_appeal", **appeal(logins["owner"], unit, place, **how))
    record(logins[by], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    return filed, rows(logins["owner"], "select max(decision_id) from assess.appeal_decision")[0][0]


@pytest.mark.parametrize("kind", ["exclusion", "violation", "appeal_decision"])
def test_a_decision_counts_once_another_person_confirms_it(logins, kind):
    asked = {"indicator_codes": ["close_on_time"]}
    if kind == "exclusion":
        made = record(logins["gu"], "exclude", case_id=own(logins["owner"], "D1", 1)[1], **asked, **WHY)
        revoke = {"exclusion_id": f"decision:{made}"}
    elif kind == "violation":
        made = record(logins["gu"], "enter_violation", unit_code="D1", **FOUND)
        revoke = {"violation_id": made}
    else:
        filed, made = granted(logins, "D1", 2)
        revoke = {"exclusion_id": f"appeal:{filed}"}
    revoked_kind = "violation" if kind == "violation" else "exclusion"
    assert (kind, made) not in waits(logins) and state(logins, kind, made) == "awaits"
    with pytest.raises(Refused, match="another person than who entered it"):
        judge(logins["gu"], kind, made)
    judge(logins["zhao"], kind, made)
    assert (kind, made) in waits(logins) and state(logins, kind, made) == "confirmed"
    for verdict in ("approved", "rejected"):
        with pytest.raises(Refused, match="is confirmed already"):
            judge(logins["ping"], kind, made, verdict)
    back = record(logins["gu"], f"revoke_{revoked_kind}", **revoke, reason="复核后恢复")
    assert (revoked_kind, back) not in waits(logins)
    with pytest.raises(Refused, match="revoked already"):
        record(logins["ping"], f"revoke_{revoked_kind}", **revoke, reason="复核后恢复")
    judge(logins["zhao"], revoked_kind, back, "rejected")
    again = record(logins["ping"], f"revoke_{revoked_kind}", **revoke, reason="复核后恢复")
    judge(logins["zhao"], revoked_kind, again)
    assert {(revoked_kind, again), (kind, made)} <= waits(logins) and (revoked_kind, back) not in waits(logins)


def test_what_is_rejected_is_out_of_the_way(logins):
    case = own(logins["owner"], "D2")[1]
    made = record(logins["gu"], "exclude", case_id=case, **WHY)
    with pytest.raises(Refused, match="excluded already"):
        record(logins["ping"], "exclude", case_id=case, **WHY)
    judge(logins["zhao"], "exclusion", made, "rejected")
    with pytest.raises(Refused, match="is rejected already"):
        judge(logins["ping"], "exclusion", made)
    with pytest.raises(Refused, match="nothing is excluded by"):
        record(logins["ping"], "revoke_exclusion", exclusion_id=f"decision:{made}", reason="x")
    assert record(logins["ping"], "exclude", case_id=case, **WHY) > made
    listed = {one["exclusion_id"]: one for one in listing(logins["shen"], "exclusions")}
    assert (listed[f"decision:{made}"]["state"], listed[f"decision:{made}"]["judged_by"]) == (
        "rejected",
        login_of(logins["zhao"]),
    )


def test_a_grant_that_is_rejected_leaves_the_appeal_open_and_the_unit_hears_of_what_holds(logins):
    filed, made = granted(logins, "D6")

    def told(who):
        return next(one for one in listing(logins[who], "appeals") if one["appeal_id"] == filed)

    assert (told("shen")["state"], told("d6")["state"]) == ("awaits_confirmation", "filed")
    assert told("d6")["reason"] is None and told("shen")["reason"] == WHY["reason"]
    assert rows(logins["d6"], "select 1 from assess.appeal_decision where appeal_id = %s", filed) == []
    with pytest.raises(Refused, match="decided already"):
        record(logins["ping"], "decide_appeal", appeal_id=filed, decision="denied", **WHY)
    judge(logins["zhao"], "appeal", filed, "rejected")
    assert (
        told("shen")["state"] == told("d6")["state"] == "filed" and state(logins, "appeal_decision", made) == "rejected"
    )
    record(logins["ping"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    judge(logins["zhao"], "appeal", filed)
    assert told("shen")["state"] == told("d6")["state"] == "granted"
    assert told("d6")["decided_by"] == login_of(logins["ping"])
    denied = record(logins["d6"], "file_appeal", **appeal(logins["owner"], "D6", 1))
    record(logins["ping"], "decide_appeal", appeal_id=denied, decision="denied", **WHY)
    with pytest.raises(Refused, match="no grant of an appeal of this number"):
        judge(logins["zhao"], "appeal", denied)


def test_neither_of_the_two_speaks_for_the_unit(logins):
    """An evaluator who is made to speak for a unit decides nothing that is about it."""
    case = own(logins["owner"], "D7")[1]
    by_others = record(logins["ping"], "exclude", case_id=case, **WHY)
    found = record(logins["ping"], "enter_violation", unit_code="D7", **FOUND)
    filed = record(logins["zhao"], "file_appeal", **appeal(logins["owner"], "D7"))
    record(logins["ping"], "decide_appeal", appeal_id=filed, decision="granted", **WHY)
    with pytest.raises(Refused, match="than who filed it or speaks for the unit"):
        judge(logins["zhao"], "appeal", filed)
    with database.connect(logins["owner"]) as owner:
        owner.execute("select assess.set_unit_login(%s, 'D7')", [login_of(logins["gu"])])
    for kind, number in (("exclusion", by_others), ("violation", found), ("appeal", filed)):
        with pytest.raises(Refused, match="than who filed it or speaks for the unit"):
            judge(logins["gu"], kind, number)
    for act, given in (
        ("exclude", {"case_id": case, "indicator_codes": ["sign_on_time"], **WHY}),
        ("enter_violation", {"unit_code": "D7", **FOUND, "reason": "another report"}),
        ("revoke_violation", {"violation_id": found, "reason": "x"}),
        ("revoke_exclusion", {"exclusion_id": f"decision:{by_others}", "reason": "x"}),
    ):
        with pytest.raises(Refused, match="speaks for a unit that this is about"):
            record(logins["gu"], act, **given)
    with database.connect(logins["owner"]) as owner:
        owner.execute("select assess.set_unit_login(%s, 'D7', false)", [login_of(logins["gu"])])
    for kind, number in (("exclusion", by_others), ("violation", found), ("appeal", filed)):
        judge(logins["gu"], kind, number)


def test_what_waits_for_a_second_person_is_listed(logins):
    case = own(logins["owner"], "T1")[1]
    made = record(logins["ping"], "exclude", case_id=case, **WHY)

    def waiting():
        found = listing(logins["shen"], "unconfirmed")
        return [one for one in found if (one["subject_kind"], one["subject_id"]) == ("exclusion", made)]

    (told,) = waiting()
    assert told["made_by"] == login_of(logins["ping"])
    assert (told["what"], told["reason"], bool(told["case_no"])) == ("beyond_duty", WHY["reason"], True)
    judge(logins["gu"], "exclusion", made)
    assert made not in {
        one["subject_id"] for one in listing(logins["shen"], "unconfirmed") if one["subject_kind"] == "exclusion"
    }
    with pytest.raises(Refused, match="does not read"):
        listing(logins["d1"], "unconfirmed")


def test_what_one_person_had_decided_before_counts_as_confirmed(scratch, tmp_path):
    city = scratch(template="template0")
    folder = tmp_path / "sql"
    folder.mkdir()
    for file in database.MIGRATIONS.glob("[0-9]*.sql"):
        if file.name < "234":
            shutil.copy(file, folder)
    database.migrate(city, folder)
    appealed = "'2026-10', 'U1', 'h1', '1', 'a', 'x', 'x', 'x'"
    with database.connect(city) as owner:
        owner.execute(
            "insert into assess.exclusion (case_id, reason_code, reason) values ('a', 'x', 'x');"
            "insert into assess.violation (unit_code, violation_code, found_at, reason)"
            "  values ('U1', 'not_handled', '2026-10-20', 'x');"
            "insert into assess.appeal (period, unit_code, feed_code, case_no, case_id, grounds_code, statement,"
            f"  evidence_ref) values ({appealed}), ({appealed});"
            "insert into assess.appeal_decision (appeal_id, decision, reason_code, reason, from_revision)"
            "  values (1, 'granted', 'x', 'x', 1), (2, 'denied', 'x', 'x', null)"
        )
    database.migrate(city)
    told = rows(city, "select kind, decision_id, state, is_by_one from assess.decision_of_two order by 1")
    assert told == [(kind, 1, "confirmed", True) for kind in ("appeal_decision", "exclusion", "violation")]
    to_build = rows(city, "select kind, decision_id from audit.decision_to_build order by 1, 2")
    assert to_build == [("appeal_decision", 1), ("appeal_decision", 2), ("exclusion", 1), ("violation", 1)]
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        rows(city, "insert into assess.decided_by_one values ('exclusion', 9) returning 1")
