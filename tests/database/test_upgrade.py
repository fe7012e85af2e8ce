"""A warehouse that earlier code has lived in is brought to now, with all that stands in it."""

import lzma
from pathlib import Path

import pytest

from minhu import database
from minhu.backup import programs
from minhu.publish.verify import verify
from minhu.warehouse.build import build

PERIOD = "2026-10"
DUMPS = sorted(Path(__file__).parent.glob("lived/*.sql.xz"))
STANDS = {  # what nothing that comes later may change
    "publish.frozen_row": "select md5(string_agg(rows::text, '|' order by rows::text)) from publish.frozen_row as rows",
    "staging.case_record": "select count(*), sum(batch_id), max(row_hash) from staging.case_record",
    "audit.batch": "select count(*), sum(received_rows), sum(staged_rows), sum(rejected_rows) from audit.batch",
    "mart.fct_case": "select count(*), max(case_id) from mart.fct_case",
}


def told(city):
    with database.connect(city) as connection:
        return {of: database.one(connection, query) for of, query in STANDS.items()}


@pytest.fixture(
    params=[pytest.param(path, id=path.name, marks=[pytest.mark.long] * (path != DUMPS[0])) for path in DUMPS]
)
def lived(request, scratch, tmp_path):
    city = scratch(template="template0")
    dump = tmp_path / "dump.sql"
    dump.write_bytes(lzma.decompress(request.param.read_bytes()))
    programs.run(city, "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={dump}")
    return city


def test_what_was_lived_stands_after_an_upgrade_and_is_proven(lived):
    before = told(lived)
    database.migrate(lived)
    assert build(lived, full_refresh=True).touched_cases, "all is computed anew by the code of now"
    assert told(lived) == before
    proof = verify(lived, PERIOD, files=0)  # what lies outside the database is in no dump
    assert proof.is_ok, proof.as_json()
    assert proof.differences == ()
