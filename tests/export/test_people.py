"""Who stands for a paper, and what its readers are told of decisions."""

import psycopg
import pytest

from minhu import assess, database
from minhu.database import logins
from minhu.export import Asked, export, read_report
from minhu.export.report import Issuer, Person
from minhu.publish import close, diff, publish, revise
from minhu.warehouse.build import build
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, case, judge, login
from tests.scenarios.city import confirm

MONTH, REASON = "2026-10", "核实为错派"
ISSUED = """bulletin:
  - {valid_from: 2020-01-01, issued_by: 某某市考评办公室}
  - {valid_from: 2024-01-01, issued_by: 某某市考评中心, seal_line: （盖章）}
  - {valid_from: 2999-01-01, issued_by: 以后的机构}
"""


@pytest.fixture(scope="module")
def people(scratch, tmp_path_factory):
    """Two publications; the approver was named before, renamed after; the closer named after; an appeal between."""
    city = world.make(scratch, tmp_path_factory.mktemp("people"), more=ISSUED)
    shen, gu = login(city, "n_shen", "evaluator"), login(city, "n_gu", "evaluator")
    d1 = login(city, "n_d1", "unit", unit="U1")
    name(city, "n_shen", "甲某", "考评科")
    closing = close(city, MONTH)
    judge(shen, closing)
    publish(city, MONTH, why=UNWITNESSED)
    about = {"feed_code": "h1", "case_no": case(5, "")["工单编号"], "period": MONTH, "grounds_code": "x"}
    filed = assess.record(d1, "file_appeal", **about, statement="非本单位职责", evidence_ref="2026-17")
    assess.record(
        gu, "decide_appeal", appeal_id=filed, decision="granted", reason_code="x", reason=REASON, from_revision=2
    )
    confirm(shen)
    build(city)
    judge(shen, revise(city, MONTH, why="申诉获准"))
    publish(city, MONTH, why=UNWITNESSED)
    name(city, "n_shen", "乙某")
    return {"owner": city, "evaluator": shen, "unit": d1}


def name(city, of: str, said: str, office: str | None = None) -> None:
    with database.connect(city, autocommit=True) as connection:
        logins.name_person(connection, of, said, office)


def test_a_release_is_signed_by_the_name_of_its_day(people):
    for revision in (1, 2):
        release = read_report(people["evaluator"], MONTH, revision=revision).release
        assert release.approved_by == Person("甲某", "考评科")
        assert release.closed_by is None
    ((closer,),) = world.rows(people["owner"], "select distinct closed_by from publish.release")
    name(people["owner"], closer, "丙某")
    name(people["owner"], closer, "丁某")
    assert read_report(people["unit"], MONTH).release.closed_by == Person("丙某")  # told later: the first of those


def test_who_issues_is_what_was_in_force_on_the_day_of_publication(people):
    assert read_report(people["unit"], MONTH).issuer == Issuer("某某市考评中心", "（盖章）")
    assert read_report(people["evaluator"], MONTH, is_draft=True).issuer is None


def test_what_others_read_has_no_reason_of_a_decision(people, tmp_path):
    assert any(REASON in cause and "n_gu" in cause for cause in diff(people["evaluator"], MONTH).causes)
    told = read_report(people["evaluator"], MONTH).diff.causes
    assert any("申诉 1：获准" in cause for cause in told)
    assert not any(REASON in cause or "n_gu" in cause for cause in told)
    assert any(REASON in cause for cause in read_report(people["unit"], MONTH).diff.causes)
    for form in ("html", "json"):
        export(people["evaluator"], MONTH, tmp_path / f"a.{form}", Asked(form))
        written = (tmp_path / f"a.{form}").read_text(encoding="utf-8")
        assert REASON not in written and "n_gu" not in written and "n_shen" not in written
        export(people["unit"], MONTH, tmp_path / f"b.{form}", Asked(form, units=("U1",)))
        own = (tmp_path / f"b.{form}").read_text(encoding="utf-8")
        assert REASON in own and "n_gu" not in own and "n_shen" not in own


def test_only_who_makes_logins_names_them_and_only_logins(people):
    for who in ("evaluator", "unit"):
        with database.connect(people[who]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set transaction read write; select assess.set_person('n_gu', 'x')")
    with database.connect(people["owner"]) as connection, pytest.raises(psycopg.Error, match="there is no login"):
        connection.execute("select assess.set_person('nobody_here', 'x')")
    with database.connect(people["unit"]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from assess.person")
