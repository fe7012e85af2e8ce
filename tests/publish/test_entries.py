"""Points entered by hand stay with the release that rests on them, whatever is decided about them later."""

import pytest

from minhu import assess
from minhu.export import Asked, export
from minhu.publish import close, diff, publish, revise, verify
from minhu.publish.stored_release import explain_release
from minhu.scoring import explain
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, login

MONTH = "2026-10"
POINT = {"scheme_id": "linan", "period": MONTH, "unit_code": "U2", "indicator_code": "reply_quality"}
BULLETIN = "通报〔2026〕3号"
BY_HAND = "  - {code: reply_quality, name_zh: 答复规范, points: 10, scoring: {function: manual, entry: change}}"


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    """The example scheme with one indicator that is scored by hand."""
    folder = tmp_path_factory.mktemp("entries")
    return world.make(scratch, folder, scheme=lambda text: text.replace("limits:", f"{BY_HAND}\n\nlimits:", 1))


@pytest.fixture(scope="module")
def gu(city):
    return login(city, "e_gu", "evaluator")


def approve(who, kind, number):
    assess.record(who, "approve", subject_kind=kind, subject_id=str(number), verdict="approved", reason="与通报一致")


@pytest.fixture(scope="module")
def released(city, gu):
    """Two points taken in the first release; the entry is revoked before the second."""
    point = assess.record(city, "enter_manual_point", **POINT, points="-2", reason="答复不规范", evidence_ref=BULLETIN)
    approve(gu, "manual_point", point)
    closing = close(city, MONTH)
    world.judge(gu, closing)
    publish(city, MONTH, why=UNWITNESSED)
    back = assess.record(
        city, "revoke_manual_point", manual_point_id=point, reason="通报已撤销", evidence_ref="通报〔2026〕4号"
    )
    approve(gu, "manual_point", back)
    closing = revise(city, MONTH, why="通报已撤销")
    world.judge(gu, closing)
    publish(city, MONTH, why=UNWITNESSED)
    return point


def entries(found):
    return [entry.manual_point_id for part in found.indicators for entry in part.entries]


def test_each_revision_is_explained_with_the_entries_that_it_rests_on(gu, released):
    was, now = (explain_release(gu, "U2", MONTH, revision=revision) for revision in (1, 2))
    assert entries(was) == [released] and entries(now) == [] == entries(explain(gu, "U2", MONTH))
    (entry,) = [entry for part in was.indicators for entry in part.entries]
    assert (entry.approved_by, entry.evidence_ref) == (("e_gu",), BULLETIN)
    assert was.score_100 < now.score_100


def test_each_revision_is_exported_with_the_entries_that_it_rests_on(gu, released, tmp_path):
    for revision, told in ((1, True), (2, False)):
        out = tmp_path / f"{revision}.json"
        export(gu, MONTH, out, Asked("json", units=("U2",), revision=revision))
        assert (BULLETIN in out.read_text(encoding="utf-8")) == told


@pytest.mark.long
def test_both_compute_anew_and_the_difference_says_what_was_revoked(city, released):
    for revision in (1, 2):
        found = verify(city, MONTH, revision)
        assert found.is_ok and found.differences == ()
    moved = diff(city, MONTH)
    assert [unit.unit_code for unit in moved.units] == ["U2"]
    assert any(f"人工计分 {released}" in cause for cause in moved.causes), moved.causes
