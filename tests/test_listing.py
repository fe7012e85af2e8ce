"""How a listing is printed: a table tells seconds, JSON everything."""

import json
from datetime import UTC, datetime

from minhu.cli.common import show

AT = datetime(2026, 10, 31, 4, 47, 13, 736073, UTC)


def test_a_table_tells_moments_to_the_second_with_their_zone_and_json_as_they_are(capsys):
    rows = [{"at": AT, "said_at": "2026-10-31T04:47:13.736073+08:00", "times": [AT], "share": "0.736073"}]
    show(rows, as_json=False)
    told = capsys.readouterr().out.splitlines()[1].split("  ")
    cells = ["2026-10-31 04:47:13+00:00", "2026-10-31 04:47:13+08:00", "2026-10-31 04:47:13+00:00", "0.736073"]
    assert [cell.strip() for cell in told if cell.strip()] == cells
    show(rows, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["said_at"].endswith("13.736073+08:00")
