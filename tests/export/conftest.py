"""October 2026 of the hand-made city of the scoring tests: scored, published, revised, for all tests that only read."""

from collections.abc import Callable

import pytest
from psycopg.types.json import Jsonb

from minhu import database
from minhu.database import logins
from minhu.scoring import score
from minhu.settings import Settings
from tests.publish.city import judge, login
from tests.scoring.city import GIVEN, City, at, fill
from tests.scoring.test_explain_rows import with_calendar

PHONE = "13812345678"
SHOWN = "publication: {ranking: true}"
MORE = """publication:
  ranking: true
  shrunken: true
  lists: [{name_zh: 红榜, take: best, count: 1}, {name_zh: 黑榜, take: worst, count: 1, within: all}]
"""
D1 = "unit_code = 'D1' and indicator_code = 'close_on_time'"


@pytest.fixture(scope="session")
def scored(scratch: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The warehouse. Behind D1's late case stands a record full of a citizen's data.

    Revision 1 is what was scored. In revision 2 that case of D1 was in time. The newest score is again the first, so
    that what is read of ``mart`` and what is published are not the same.
    """
    settings = scratch()
    scheme = tmp_path_factory.mktemp("scheme") / "exam.yml"
    text = (GIVEN / "exam.yml").read_text(encoding="utf-8")
    assert SHOWN in text
    scheme.write_text(text.replace(SHOWN, MORE), encoding="utf-8")
    with City(settings) as city:
        city.run("delete from config.entry")
        city.scheme(scheme)
        fill(city)
        with_calendar(city)
        city.insert(
            "staging.case_record",
            feed_code="h12345",
            case_no="NOa0008",
            received_at=at("10-09 09:00"),
            title=f"王某来电 {PHONE}",
            content=f"请回电 {PHONE}",
            address="青山湖街道某小区1幢101",
            caller_masked="138****5678",
            batch_id=1,
            row_number=8,
            row_hash="x",
        )
    score(settings, "2026-10")
    reviewer = login(settings, "x_reviewer", "evaluator")
    with database.connect(settings, autocommit=True) as connection:
        logins.name_person(connection, "x_reviewer", "乙某", "考评科")
    publish(settings, reviewer)
    with database.connect(settings) as connection:
        for table in ("fct_unit_score", "fct_unit_indicator", "fct_evidence"):
            connection.execute(f"create table public.{table} as select * from mart.{table}")
        connection.execute(
            "update mart.fct_unit_score set raw_points = raw_points + 11.67, score_100 = 70, band = '合格'"
            " where unit_code = 'D1'"
        )
        connection.execute(f"update mart.fct_unit_indicator set numerator = 6, value = 100, points = 20 where {D1}")
        connection.execute(f"delete from mart.fct_evidence where {D1}")
    publish(settings, reviewer, "申诉 1 获准")
    with database.connect(settings) as connection:
        for table in ("fct_unit_score", "fct_unit_indicator", "fct_evidence"):
            connection.execute(f"delete from mart.{table}")
            connection.execute(f"insert into mart.{table} select * from public.{table}")
            connection.execute(f"drop table public.{table}")
    return settings


def publish(settings: Settings, reviewer: Settings, why: str | None = None) -> None:
    """Closes what is scored, as if the release gate had passed it, has it approved, and publishes it."""
    with database.connect(settings) as connection:
        run = connection.execute("select scheme_id, scheme_version, period from mart.score_run").fetchone()
        (gate,) = connection.execute(
            "insert into audit.quality_run (gate, subject, finished_at, is_passed)"
            " values ('release', %s, clock_timestamp(), true) returning quality_run_id",
            [" ".join(run)],
        ).fetchone()
        named = dict(zip(("scheme_id", "scheme_version", "period"), run, strict=True))
        code = Jsonb({"version": "test", "sha256": "test"})
        closing = database.act(connection, "publish.close", named | {"quality_run_id": gate, "code": code, "why": why})
    judge(reviewer, closing)
    with database.connect(settings) as connection:
        database.act(connection, "publish.publish", {"closing_id": closing})
