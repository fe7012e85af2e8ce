"""A changed scheme is tried on a scored month: who moves, by how much and why. Nothing that was scored changes."""

import json
import time

import pytest
from click.testing import CliRunner

from minhu import database
from minhu.cli import minhu
from minhu.errors import Refused
from minhu.schemes import read_scheme
from minhu.scoring import what_if
from minhu.scoring.whatif import same_counts
from tests.scoring.city import GIVEN

EXAM = (GIVEN / "exam.yml").read_text(encoding="utf-8")


@pytest.fixture
def draft(tmp_path):
    """Writes a changed exam.yml."""

    def write(*changes: tuple[str, str]):
        text = EXAM
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "draft.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def everything(october) -> list:
    tables = ("mart.score_run", "mart.fct_unit_indicator", "mart.fct_unit_score", "config.entry", "config.version")
    return [october.rows(f"select * from {table} order by 1, 2, 3, 4") for table in tables]


def moves(found) -> dict[str, str]:
    return {
        move.unit_code: f"{move.was.score_100} {move.now.score_100} {move.climbed} {move.reason and move.reason.code}"
        for move in found.moves
        if move.is_moved
    }


def test_the_same_scheme_moves_nobody(october, draft):
    found = what_if(october.settings, "exam", read_scheme(draft()), "2026-10")
    assert (moves(found), found.changes, found.is_recounted) == ({}, (), False)
    assert len(found.moves) == 13


def test_a_changed_weight_moves_those_who_lost_by_it(october, draft):
    before = everything(october)
    path = draft(("points: 20\n", "points: 40\n"))
    started = time.monotonic()
    found = what_if(october.settings, "exam", read_scheme(path), "2026-10")
    assert time.monotonic() - started < 5
    assert not found.is_recounted
    assert [change.text for change in found.changes] == ["指标“按时办结率”：分值由 20 改为 40"]
    assert moves(found) == {
        # 28.33 + 0.71 + 15 of 65: the 11.67 lost by closing late are 17.95 of 100 instead of 25.93
        "D1": "53.42 67.75 0 close_on_time",
        "D6": "12.50 10.42 0 close_on_time",  # 12.5 of 120 instead of 100
        "D7": "70.00 75.00 0 resolved",  # 90 of 120
        "T1": "78.00 81.67 0 not_handled",  # 22 off 120 instead of 100
    }
    assert everything(october) == before


def test_other_rows_are_counted_in_the_scratch_schema_alone(october, draft):
    before = everything(october)
    path = draft(("measure: close_on_time\n    moment: due_at", "measure: close_on_time\n    moment: dispatched_at"))
    found = what_if(october.settings, "exam", read_scheme(path), "2026-10")
    assert found.is_recounted
    assert moves(found)["T3"] == "0.00 None None None"  # all of it was dispatched in September
    assert everything(october) == before


def test_both_ways_agree(october, draft, monkeypatch):
    path = draft(
        ("target: 95, per_point: 1}", "target: 99, per_point: 0.7, floor: 1}"), ("points: 30", "points: 12.34")
    )
    quick = what_if(october.settings, "exam", read_scheme(path), "2026-10")
    monkeypatch.setattr("minhu.scoring.whatif.same_counts", lambda old, changed: None)
    thorough = what_if(october.settings, "exam", read_scheme(path), "2026-10")
    assert (quick.is_recounted, thorough.is_recounted) == (False, True)
    assert quick.moves == thorough.moves
    assert len(moves(quick)) == 5


@pytest.mark.parametrize(
    ("of", "least", "is_recounted"),
    [("median", 1, True), ("median", 2, False), ("mean", 1, False)],
    ids=["a median of fewer rows", "the same median", "a mean of fewer rows"],
)
def test_a_median_of_fewer_rows_is_counted_anew(tmp_path, of, least, is_recounted):
    def scheme(number):
        path = tmp_path / f"{number}.yml"
        text = (GIVEN / "rich.yml").read_text(encoding="utf-8")
        place = {"median": "aggregate: median\n", "mean": "measure: resolved\n"}[of]
        assert place in text
        path.write_text(text.replace(place, f"{place}    min_n: {number}\n", 1), encoding="utf-8")
        return read_scheme(path)

    assert (same_counts(scheme(2), scheme(least)) is None) == is_recounted


def test_the_command_tells_it_in_words(october, draft, monkeypatch):
    monkeypatch.setenv("MINHU_DATABASE_URL", october.settings.database_url)
    monkeypatch.setenv("MINHU_HOME", str(october.settings.home))
    path = draft(("points: 20\n", "points: 40\n"))
    told = CliRunner().invoke(minhu, ["schemes", "simulate", "exam", "2026-10", "--file", str(path)])
    assert told.exit_code == 0, told.output
    assert "4 个单位有变化，9 个不变" in told.output and "不处置 +2.00" in told.output
    as_json = CliRunner().invoke(minhu, ["schemes", "simulate", "exam", "2026-10", "--file", str(path), "--json"])
    first = json.loads(as_json.output)["moves"][0]
    assert (first["unit_code"], first["change"], first["reason"]) == ("D1", "14.33", "close_on_time")


@pytest.mark.parametrize(
    ("scheme", "period", "changes", "complaint"),
    [
        ("exam", "2026-09", (), "by the scheme exam: run `minhu score 2026-09 --scheme exam` first"),
        ("other", "2026-10", (), "2026-10 has not been scored by the scheme other"),
        ("exam", "2026-10", (("month: indicative, ", ""),), "the changed scheme scores no month; it scores by year"),
    ],
)
def test_what_cannot_be_simulated_is_refused(october, draft, scheme, period, changes, complaint):
    with pytest.raises(Refused, match=complaint):
        what_if(october.settings, scheme, read_scheme(draft(*changes)), period)


def test_a_draft_s_mistake_is_told_with_its_line(october, draft):
    path = draft(("points: 30", "points: 30\n    wight: 2"))
    told = CliRunner().invoke(minhu, ["schemes", "check", str(path)])
    assert told.exception is not None and "draft.yml:34: indicators.2.wight" in str(told.exception)
    with database.connect(october.settings) as connection:
        assert connection.execute("select count(*) from config.version").fetchone() == (1,)
