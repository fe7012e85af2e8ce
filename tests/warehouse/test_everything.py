"""One of every kind of change, each followed by a build; then the facts are what a rebuild of everything gives.

What may change a fact: rows that come late, are held and released, corrected, replayed under another key, merged or
linked; a register, a limit or the calendar that changes; a person's decision. The story is told twice: with a build
after each change, and in a second warehouse with no build before people decide on what they see.
"""

from datetime import date

import pytest

from minhu import assess, database, quality
from minhu.load import load_file, replay
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build
from tests import given
from tests.scenarios.city import as_evaluator, confirm

UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from,valid_to
U1,城管局,department,1,linan_department,true,市城管局,2020-01-01,
U2,交通局,department,2,linan_department,false,,2020-01-01,
U3,园林文物局,department,2,linan_department,false,,2020-01-01,
"""
SPLIT = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from,valid_to
U1,城管局,department,1,linan_department,true,市城管局;综合执法局,2020-01-01,
U2,交通局,department,2,linan_department,false,,2020-01-01,
U3,园林文物局,department,2,linan_department,false,,2020-01-01,2026-10-14
U4,园林局,department,2,linan_department,false,,2026-10-14,
U5,文物局,department,2,linan_department,false,,2026-10-14,
"""
SUCCESSION = """old_unit_code,new_unit_code,succession_kind,effective_on
U3,U4,split,2026-10-14
U3,U5,split,2026-10-14
"""
CASES = given.CASES | {
    "columns": given.CASES["columns"] | {"upstream_feed_code": "上游热线", "upstream_case_no": "上游编号"},
    "optional_columns": ["上游热线", "上游编号"],
}
TABLES = {
    "mart": (
        *("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation", "fct_exclusion", "fct_event"),
        *("agg_day", "agg_week"),
    ),
    "audit": ("orphan", "lifecycle_anomaly", "event_version"),
}


class City:
    """A warehouse and what is done to it."""

    def __init__(self, settings):
        self.settings, self.files = settings, 0

    def query(self, text, *parameters):
        with database.connect(self.settings) as connection:
            cursor = connection.execute(text, parameters)
            return cursor.fetchall() if cursor.description else None

    def load(self, delivery, rows, *, feed="h1", day=12, status="accepted"):
        self.files += 1
        path = self.settings.drop / feed / f"{delivery}_{self.files}.csv"
        if delivery == "cases":
            given.csv_file(path, [given.ROW | {"上游热线": "", "上游编号": ""} | row for row in rows])
            path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
        else:
            given.csv_file(path, rows)
        result = load_file(feed, delivery, path, date(2026, 10, day), settings=self.settings)
        assert result.rejected == 0
        reason = "VOLUME" if status == "held" else None
        self.query(
            "update audit.batch set status = %s, reason_code = %s where batch_id = %s", status, reason, result.batch_id
        )
        return result.batch_id

    def assignment(self, case_no):
        """The only assignment of a case, as the next build will know it."""
        build(self.settings)
        told = "select assignment_id from mart.fct_timeliness join mart.fct_case using (case_id) where case_no = %s"
        [(found,)] = self.query(told, case_no)
        return found

    def edit(self, name, change):
        path = self.settings.config / name
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert before != after, f"{name}: the change changes something"
        path.write_text(after, encoding="utf-8")

    def facts(self, *, with_sources=True):
        """Every row of every fact, as text in a fixed order."""
        rows = {}
        for schema, tables in TABLES.items():
            for table in tables:
                hidden = [] if with_sources else self._sources(schema, table)
                told = f"select (to_jsonb(f) - %s::text[])::text from {schema}.{table} as f order by 1"
                rows[table] = self.query(told, hidden)
        return rows

    def _sources(self, schema, table):
        """The columns that name the batch and row a fact came from, and when: they differ between two warehouses."""
        named = (
            "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and (attname like '%%batch_id' or attname like '%%row_number' or attname = 'decided_at')"
        )
        return [name for (name,) in self.query(named, f"{schema}.{table}")]


def case(number, **row):
    """A case without milestones: its events come on their own."""
    return {
        "工单编号": str(number),
        "来电号码": f"1380000{int(number):04}",
        "转办时间": "",
        "办结时间": "",
        "办理期限": "",
    } | row


def event(number, event_type, at, unit="城管局", **row):
    return {
        "case_no": number,
        "event_type": event_type,
        "occurred_at": f"2026-{at}",
        "unit_name": unit,
        "result_code": "",
    } | row


def callback(number, at):
    answers = {"resolution_code": "resolved", "satisfaction_scale": "five", "satisfaction_code": "satisfied"}
    return {"case_no": number, "called_at": f"2026-{at}"} | answers


@pytest.fixture
def make(scratch, tmp_path):
    """Makes the city of the story; each has a configuration of its own, as the story edits it."""
    made = 0

    def city():
        nonlocal made
        made += 1
        feeds = [given.feed(code, deliveries=[CASES, given.EVENTS, given.CALLBACKS]) for code in ("h1", "h2")]
        calendar = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
        header = SUCCESSION.splitlines()[0] + "\n"
        registers = {"units": UNITS, "unit_succession": header, "calendar": calendar}
        folder = given.config(tmp_path / f"config_{made}", feeds, **registers)
        (folder / "schemes").mkdir()
        scheme = (PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8")
        (folder / "schemes" / "linan.yml").write_text(scheme, encoding="utf-8")
        return City(scratch(folder))

    return city


def story(city, step):
    """Everything that may happen. ``step(name)`` is called after each change."""
    first = city.load("cases", [case(n) for n in range(1, 10)] + [case(20, 来电号码="13800000001")])
    city.load("cases", [case(50, 受理时间="2026-12-31 08:00:00"), case(51)], feed="h2")
    city.load(
        "events",
        [
            *(event(n, "DISPATCH", f"10-12 09:0{n}:00") for n in range(1, 6)),
            event(6, "DISPATCH", "10-12 09:10:00", "园林文物局"),
            event(7, "DISPATCH", "10-15 09:10:00", "园林文物局"),
            event(8, "DISPATCH", "10-12 09:20:00", "综合执法局"),
            event(20, "DISPATCH", "10-12 09:30:00", "交通局"),
            event(1, "CLOSE", "10-16 10:00:00"),
            event(8, "VIOLATION", "10-20 09:00:00", reason_code="late_handling"),
            event(9, "VIOLATION", "10-20 09:00:00", reason_code="late_handling"),
            event(1, "SIGN", "10-12 10:00:00", source_event_no="s1"),
        ],
    )
    city.load("events", [event(50, "DISPATCH", "12-31 09:00:00", "交通局")], feed="h2")
    step("the first batches")

    city.load("events", [event(2, "SIGN", "10-12 09:40:00"), event(2, "CLOSE", "10-14 09:00:00")], day=14)
    city.load(
        "events", [event(3, "DISPATCH", "10-12 08:30:00", "交通局"), event(60, "CLOSE", "10-13 09:00:00")], day=10
    )
    step("a late batch, with an event earlier than all and one of a case that never came")

    held = city.load("callbacks", [callback(1, "10-17 10:00:00"), callback(2, "10-17 10:30:00")], day=15, status="held")
    step("a held batch")
    assert city.query("select count(*) from mart.fct_satisfaction") == [(0,)]
    quality.release_batch(city.settings, held, "电话核实无误")
    step("the held batch is released")

    city.load("cases", [case(4, 分类="0202", 主要内容="路面破损")], day=16)
    city.load("events", [event(1, "SIGN", "10-12 10:30:00", source_event_no="s1")], day=16)
    step("a case and an event corrected")

    mapped = {**CASES, "columns": CASES["columns"] | {"case_no": {"from": "工单编号", "map": {"9": "nine"}}}}
    given.config(
        city.settings.config,
        [given.feed(code, deliveries=[mapped, given.EVENTS, given.CALLBACKS]) for code in ("h1", "h2")],
    )
    again = replay(city.settings, first)
    city.query("update audit.batch set status = 'accepted' where batch_id = %s", again.batch_id)
    step("a replay after which a case has another key")

    city.load("events", [event(5, "MERGE", "10-16 12:00:00", "", result_code="2")], day=16)
    step("a merge")

    city.load("cases", [case(51, 上游热线="h1", 上游编号="3")], feed="h2", day=17)
    city.load("events", [event(51, "DISPATCH", "10-17 12:00:00", "交通局")], feed="h2", day=17)
    step("a late transfer link: what hung on one case now hangs on another")

    city.edit("units.csv", lambda text: text.replace("市城管局", "市城管局;综合执法局"))
    step("an alias is added")

    city.edit(
        "schemes/linan.yml",
        lambda text: text.replace(
            "    amount: 5\n    unit: workday\n    starts", "    amount: 3\n    unit: workday\n    starts"
        ),
    )
    step("a limit is changed")

    city.edit(
        "calendar.csv",
        lambda text: text.replace("2027-01-04,true,false,provisional,", "2027-01-04,false,false,official,元旦"),
    )
    city.edit("calendar.csv", lambda text: text.replace(",provisional,", ",official,"))
    step("the calendar becomes official, and differs from what was expected")

    city.edit("units.csv", lambda _: SPLIT)
    city.edit("unit_succession.csv", lambda _: SUCCESSION)
    step("a unit is split")

    about = {"feed_code": "h1", "case_no": "1", "indicator_codes": None}
    filed = assess.record(
        city.settings, "file_appeal", period="2026-10", unit_code="U1", grounds_code="mis_dispatched",
        statement="非本单位职责", evidence_ref="2026-17", assignment_id=city.assignment("1"), **about,
    )  # fmt: skip
    why = {"reason_code": "beyond_duty", "reason": "依规定"}
    evaluator = as_evaluator(city.settings)
    assess.record(evaluator, "decide_appeal", appeal_id=filed, decision="granted", **why)
    confirm(as_evaluator(city.settings, "second_evaluator"))
    step("an appeal is granted")
    assess.record(evaluator, "exclude", assignment_id=None, **(about | {"case_no": "2"}), **why)
    confirm(as_evaluator(city.settings, "second_evaluator"))
    step("a case is excluded by decision")


def test_whatever_happens_the_facts_are_what_a_rebuild_gives(make):
    city, seen = make(), []

    def built(name):
        before = city.facts()
        assert build(city.settings).build_id is not None or name == "a held batch"
        seen.append((name, city.facts() != before))
        assert build(city.settings).build_id is None, f"after {name}: built twice, the second time found work"

    story(city, built)
    assert [name for name, has_changed in seen if not has_changed] == ["a held batch"], "each change shows in the facts"

    incremental = city.facts()
    assert all(incremental.values()), "each table has rows to compare"
    build(city.settings, full_refresh=True)
    assert city.facts() == incremental

    at_once = make()
    story(at_once, lambda name: None)
    build(at_once.settings)
    assert at_once.facts(with_sources=False) == city.facts(with_sources=False)
