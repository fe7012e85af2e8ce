"""What a file that people really meet becomes: read, and judged at the door. See `tests.feeds.cases`."""

import re

import pytest

from minhu.errors import BadDelivery
from minhu.feeds.door import Door, Tally
from minhu.feeds.feed import Feed
from minhu.feeds.formats.read import read_parts
from minhu.load.batch import why_no_rows
from tests.feeds.cases import CASES, FEED, Case

MEND = r"mend|ask the sender|say `|declare it|name one"


def judged(case: Case, folder) -> tuple[list, dict, Tally]:
    """The staged rows, reasons by row, and the account of a file."""
    declared = FEED["deliveries"][0] | {"format": case.format} | ({"formats": case.formats} if case.formats else {})
    feed = Feed.model_validate(FEED | {"deliveries": [declared]})
    path = folder / case.file
    path.write_bytes(case.data)
    door = Door(feed, feed.deliveries[0], (b"k" * 32,))
    parts = [door.judge(rows) for rows in read_parts(path, feed.deliveries[0].format, door.aside)]
    tally = door.close()
    staged = [row for part in parts for row in part.staged.rows(named=True)]
    rejected = {number: reason for part in parts for number, reason, *_ in part.rejected.rows()}
    return staged, rejected, tally


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_a_file_gives_the_rows_that_a_sensible_user_expects(name, tmp_path):
    case = CASES[name]
    staged, rejected, tally = judged(case, tmp_path)
    assert tuple(row["case_no"] for row in staged) == case.staged
    assert rejected == case.rejected
    assert tally.received == tally.staged + tally.rejected + tally.duplicates
    notes = {}
    for note in tally.notes:
        notes[note["code"]] = notes.get(note["code"], 0) + note["rows"]
    assert {code: notes.get(code) for code in case.notes} == case.notes
    if case.contents is not None:
        assert tuple(row["content"] for row in staged) == case.contents
    if case.received:
        assert f"{staged[0]['received_at']:%Y-%m-%d %H:%M}" == case.received
    hold = why_no_rows(tally)
    assert (hold.code if hold else "") == case.held


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_what_cannot_be_read_is_refused_with_its_place_and_the_mend(name, tmp_path):
    case = CASES[name]
    with pytest.raises(BadDelivery) as refusal:
        judged(case, tmp_path)
    assert refusal.value.code == case.refused
    assert re.search(case.told, str(refusal.value), re.DOTALL), str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert re.search(MEND, str(refusal.value))
    assert not re.search("138|张三|漏水", str(refusal.value))
