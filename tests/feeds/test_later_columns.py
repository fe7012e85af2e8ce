"""Columns that the layout got later: a row that does not tell them is the row that it was, no news when sent again."""

import pytest

from tests.feeds.test_masking import TIME, feed, judged

ROWS = {
    "callback": (
        {"case_no": "1", "called_at": TIME, "satisfaction_code": "satisfied"},
        "edccb6e8fc959d75a2d4e4974908d90c",
        {"attitude_code": "dissatisfied"},
    ),
    "case": (
        {"case_no": "1", "received_at": TIME, "title": "路灯不亮"},
        "1a0766f1382f2d0aaf2cbf8a8ae6aff3",
        {"dispatch_source": "province"},
    ),
}
"""By kind a row, what it was hashed to before the column was known, and what the column may tell."""


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_that_does_not_tell_them_is_hashed_as_before(kind):
    row, known, later = ROWS[kind]
    of_old = feed(kind, {name: name for name in row})
    of_new = feed(kind, {name: name for name in row | later})
    assert judged(of_old, **row).staged["row_hash"].to_list() == [known]
    assert judged(of_new, **row, **dict.fromkeys(later, "")).staged["row_hash"].to_list() == [known]


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_that_tells_them_is_another(kind):
    row, known, later = ROWS[kind]
    staged = judged(feed(kind, {name: name for name in row | later}), **row, **later).staged
    assert staged["row_hash"].to_list() != [known]
    assert staged.select(*later).row(0, named=True) == later


def test_a_source_that_is_no_code_of_ours_is_not_taken_for_one():
    given = feed("case", {name: name for name in ("case_no", "received_at", "dispatch_source")})
    staged = judged(given, case_no="1", received_at=TIME, dispatch_source="省派").staged
    assert staged["dispatch_source"].to_list() == [None]
