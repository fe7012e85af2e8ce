"""The city of the scenarios: how its files are loaded, and how its facts read beside an expectation."""

import csv
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy
from psycopg.rows import dict_row

from minhu import assess, database
from minhu.database import logins
from minhu.load import load_file
from minhu.settings import PROJECT_ROOT, Settings

ZONE = ZoneInfo("Asia/Shanghai")
SCENARIOS = Path(__file__).parent
FIRST_DAY = date(2026, 10, 12)
"""The business date of files whose name starts with 1_; 2_ is the day after."""

# One query per table of expectations: every row with the numbers of its case, ordered as the life-cycle goes.
QUERIES = {
    "timeliness": "select t.*, c.feed_code, c.case_no from mart.fct_timeliness as t join mart.fct_case as c"
    " using (case_id) order by c.case_no, t.dispatched_at, t.unit_role, t.unit_code",
    "case": "select c.*, upstream.case_no as transferred_from, target.case_no as merged_into from mart.fct_case as c"
    " left join mart.fct_case as upstream on upstream.case_id = c.transferred_from_case_id"
    " left join mart.fct_case as target on target.case_id = c.merged_into_case_id order by c.case_no",
    "satisfaction": "select s.*, c.feed_code, c.case_no from mart.fct_satisfaction as s join mart.fct_case as c"
    " using (case_id) order by c.case_no, s.called_at",
    "anomaly": "select a.*, c.feed_code, c.case_no from audit.lifecycle_anomaly as a join mart.fct_case as c"
    " using (case_id) order by c.case_no, a.anomaly_code, a.event_type, a.occurred_at",
    "version": "select v.*, v.standing_occurred_at as standing_at, c.feed_code, c.case_no from audit.event_version as v"
    " join mart.fct_case as c using (case_id) order by c.case_no, v.event_type, v.occurred_at, v.source",
    "event": "select e.*, c.feed_code, c.case_no, duty.unit_code as duty_of from mart.fct_event as e"
    " join mart.fct_case as c using (case_id) left join mart.fct_timeliness as duty using (assignment_id)"
    " order by c.case_no, e.occurred_at, e.event_type, e.source",
    "exclusion": "select x.*, t.unit_code, c.feed_code, c.case_no from mart.fct_exclusion as x join mart.fct_case as c"
    " using (case_id) left join mart.fct_timeliness as t using (assignment_id)"
    " order by c.case_no, x.source, t.unit_code, x.decided_at",
    "violation": "select v.*, c.feed_code, c.case_no from mart.fct_violation as v join mart.fct_case as c"
    " using (case_id) order by c.case_no, v.found_at",
}
COMPLETE = ("timeliness", "anomaly", "version", "exclusion")
"""What a scenario does not expect of these it must not have."""


def configuration(folder: Path) -> Path:
    """The scenarios' configuration with the official calendar."""
    shutil.copytree(SCENARIOS / "config", folder)
    shutil.copy(PROJECT_ROOT / "config" / "calendar.csv", folder / "calendar.csv")
    return folder


def scenarios() -> list[Path]:
    return sorted(path for path in SCENARIOS.iterdir() if path.name[0].isdigit())


def load(city: Settings, folder: Path) -> None:
    """Loads the files of a folder in the order of their names and accepts them, as the gate would."""
    for path in sorted(folder.glob("[0-9]*_*.csv")):
        day, rest = path.stem.split("_", 1)
        feed, delivery = rest.rsplit("_", 1)
        result = load_file(feed, delivery, path, FIRST_DAY + timedelta(days=int(day) - 1), settings=city)
        assert result.rejected == 0, f"{path}: a scenario's rows are well formed"
    with database.connect(city) as connection:
        connection.execute("update audit.batch set status = 'accepted' where status = 'loaded'")


def reorganise(city: Settings, folder: Path) -> None:
    """Brings the rows of a folder into the registers: those of a unit stand for all that the register said of it."""
    for path in sorted([*folder.glob("units.csv"), *folder.glob("unit_succession.csv")]):
        register = city.config / path.name
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        told = {row.split(",")[0] for row in rows}
        kept = [row for row in register.read_text(encoding="utf-8").splitlines() if row.split(",")[0] not in told]
        assert kept[0] == head, path
        register.write_text("\n".join([*kept, *rows]) + "\n", encoding="utf-8")


def decide(city: Settings, folder: Path) -> None:
    """Records the decisions of a folder's ``decisions.csv``, line by line, and has them confirmed by another login.

    Each appeal is decided by another login than who filed it.
    """
    if not (folder / "decisions.csv").exists():
        return
    with (folder / "decisions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        about = {"feed_code": "h12345", "case_no": row["工单编号"], "indicator_codes": row["指标"].split() or None}
        why = {"reason_code": row["原因"], "reason": "依规定"}
        if row["决定"] == "剔除":
            assess.record(city, "exclude", **about, **why, assignment_id=_assignment(city, row))
        elif row["决定"] == "恢复":
            assess.record(city, "revoke_exclusion", exclusion_id=_last_exclusion(city, row), reason="复核后恢复")
        elif row["决定"] == "认定":
            assess.record(
                city, "enter_violation", unit_code=row["单位代码"], violation_code=row["原因"], reason="督查通报",
                found_at="2026-10-21 09:00+08", assignment_id=_assignment(city, row), feed_code="h12345",
                case_no=row["工单编号"],
            )  # fmt: skip
        else:
            filed = assess.record(
                city, "file_appeal", period="2026-10", unit_code=row["单位代码"], grounds_code="mis_dispatched",
                statement="非本单位职责", evidence_ref="2026-17", is_whole_case=row["单位代码"] == "" or None, **about,
            )  # fmt: skip
            decision = {"申诉同意": "granted", "申诉驳回": "denied"}[row["决定"]]
            assess.record(as_evaluator(city), "decide_appeal", appeal_id=filed, decision=decision, **why)
    confirm(as_evaluator(city, "scenario_second"))


def confirm(by: Settings) -> None:
    """Has ``by`` confirm every decision that awaits another person."""
    for one in assess.listing(by, "unconfirmed"):
        about = {"subject_kind": one["subject_kind"], "subject_id": str(one["subject_id"])}
        assess.record(by, "approve", **about, verdict="approved", reason="已复核")


def as_evaluator(city: Settings, name: str = "scenario_evaluator") -> Settings:
    """The city as a login of the group evaluator reaches it; made anew, since a login belongs to the whole server."""
    with database.connect(city, autocommit=True) as owner:
        if owner.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
            logins.drop_login(owner, name)
        password = logins.add_login(owner, name, "evaluator")
    return reached_as(city, name, password)


def reached_as(city: Settings, login: str, password: str) -> Settings:
    url = sqlalchemy.make_url(city.database_url).set(username=login, password=password)
    return replace(city, database_url=url.render_as_string(hide_password=False))


def login_of(city: Settings) -> str:
    return sqlalchemy.make_url(city.database_url).username


def _assignment(city: Settings, row: dict) -> str | None:
    """The unit's assignment on the case; None where no unit is named."""
    with database.connect(city) as connection:
        found = connection.execute(
            "select assignment_id from mart.fct_timeliness where case_id = %s and unit_code = %s",
            [assess.case_id("h12345", row["工单编号"]), row["单位代码"]],
        ).fetchone()
    return found and found[0]


def _last_exclusion(city: Settings, row: dict) -> str:
    listed = assess.listing(city, "exclusions")
    return [one["exclusion_id"] for one in listed if one["case_no"] == row["工单编号"] and one["decided_by"]][-1]


def read(city: Settings) -> dict[str, list[dict]]:
    """Every table of QUERIES, each value as an expectation writes it."""
    with database.connect(city) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return {
            table: [{name: _text(value) for name, value in row.items()} for row in cursor.execute(query).fetchall()]
            for table, query in QUERIES.items()
        }


def expected(folder: Path) -> dict[str, list[dict]]:
    """The tables of an expectation folder."""
    tables = {}
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            tables[path.stem] = list(csv.DictReader(file))
    return tables


def case_numbers(scenario: Path) -> set[str]:
    numbers = set()
    for path in [*scenario.glob("*given/*_cases.csv")]:
        with path.open(encoding="utf-8", newline="") as file:
            numbers |= {row["工单编号"] for row in csv.DictReader(file)}
    return numbers


def _text(value: object) -> str:
    """Times in the city's zone, without seconds where there are none; null is blank."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(ZONE)
        return local.strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")
    return str(value)
