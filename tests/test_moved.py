"""What `python -m bench.moved` says of two sets of scores."""

from bench.moved import CELLS, Move, moves, read_file, render, write_file


def row(unit, indicator="", **cells):
    return {"unit_code": unit, "unit_name": f"{unit}局", "indicator_code": indicator} | {
        cell: cells.get(cell, "") for cell in CELLS
    }


BEFORE = [
    row("U1", score_100="95.72", rank_in_group="1", band="优秀"),
    row("U1", "close_on_time", points="27.86", numerator="13"),
    row("U2", score_100="90.00", rank_in_group="2", band="优秀"),
    row("U2", "close_on_time", points="30.00", numerator="5", shrunken_value="94.39"),
]


def test_the_same_scores_move_nobody():
    assert moves(BEFORE, [dict(one) for one in BEFORE]) == []
    assert render([]) == "nothing moved"


def test_who_moves_is_told_with_the_indicator_and_both_values():
    after = [
        BEFORE[0],
        BEFORE[1],
        BEFORE[2] | {"score_100": "75.0", "band": ""},
        BEFORE[3] | {"points": "15.0", "numerator": "4"},
    ]
    found = moves(BEFORE, after)
    assert Move("U2", "U2局", "close_on_time", "points", "30.00", "15.0") in found
    assert render(found).splitlines() == [
        "U2局  U2",
        "    score_100 90.00 → 75.0  band 优秀 → –",
        "    by close_on_time: points 30.00 → 15.0  numerator 5 → 4",
        "1 units moved: 1 scores, 0 ranks, 1 bands; close_on_time of 1 units",
    ]


def test_a_unit_or_an_indicator_that_comes_or_goes_has_moved():
    assert {(move.unit_code, move.after) for move in moves(BEFORE, BEFORE[:2])} == {("U2", "")}
    assert {(move.indicator_code, move.before) for move in moves(BEFORE[:3], BEFORE)} == {("close_on_time", "")}


def test_those_whose_score_moved_come_first():
    after = [BEFORE[0], BEFORE[1] | {"points": "1"}, BEFORE[2] | {"rank_in_group": "3"}, BEFORE[3]]
    assert [move.unit_code for move in moves(BEFORE, after)] == ["U2", "U1"]


def test_a_file_of_scores_is_read_as_it_was_written(tmp_path):
    write_file(tmp_path / "scores.csv", BEFORE)
    assert read_file(tmp_path / "scores.csv") == BEFORE
