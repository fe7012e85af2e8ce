"""The clock of the models against a person's count: random cases, every corner of the calendar, one query for all."""

import os
import random
import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import jinja2
import psycopg
import pytest
import yaml
from psycopg.types.json import Jsonb

from minhu import config, database
from minhu.load import load_file
from minhu.schemes.scheme import Limit
from minhu.settings import PROJECT_ROOT
from minhu.warehouse import dbt
from minhu.warehouse.build import build
from tests import given
from tests.reference import clock

PROJECT = PROJECT_ROOT / "dbt_project"
MACROS = ("config_entries", "events", "time")
CONNECT, ENVIRONMENT = sys.modules["minhu.database.connect"]._connect, dbt._environment
ZONES = ("Asia/Shanghai", "America/New_York", "Pacific/Apia")
HOURS = ((time(9), time(12)), (time(13, 30), time(17, 30)))
UNITS = ("workday", "work_hour", "work_minute", "day", "hour", "minute")
COUNTS = (2_000, pytest.param(100_000, marks=pytest.mark.long))
SHANGHAI = clock.CITY

CORNERS = [  # days around which the calendar does what nobody expects
    *("2024-01-01", "2024-02-29", "2025-01-31", "2025-12-31", "2026-01-04", "2026-02-14", "2026-02-24", "2026-02-28"),
    *("2026-05-09", "2026-09-20", "2026-09-30", "2026-10-08", "2026-10-10", "2026-12-31", "2027-01-01", "2027-02-05"),
    *("2027-12-24", "2027-12-31"),
]
TIMES = [
    *("00:00:00", "00:00:01", "08:59:59", "09:00:00", "09:00:01", "11:59:59.999999", "12:00:00", "12:45:00"),
    *("13:29:59", "13:30:00", "17:29:59.5", "17:30:00", "17:30:01", "23:59:59.999999"),
]


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI)


def moment(chance: random.Random) -> datetime:
    """A moment within the calendar and a little around it, often one at which something turns."""
    if chance.random() < 0.5:
        day = date.fromisoformat(chance.choice(CORNERS)) + timedelta(chance.randint(-3, 3))
    else:
        day = date(2023, 12, 28) + timedelta(chance.randint(0, 1468))
    if chance.random() < 0.5:
        return at(f"{day} {chance.choice(TIMES)}")
    return datetime.combine(day, time(), SHANGHAI) + timedelta(
        seconds=chance.randrange(86400), microseconds=chance.choice((0, 0, chance.randrange(1_000_000)))
    )


def an_amount(chance: random.Random, unit: str) -> int:
    most = {"workday": 40, "day": 40, "work_hour": 80, "hour": 200, "work_minute": 3000, "minute": 5000}[unit]
    return chance.choice((1, 2, 5, 7, 15, chance.randint(1, most)))


class Models:
    """Models and macros of the project as plain SQL, each made a table or view of schema build."""

    def __init__(self, connection: psycopg.Connection, config_version: int):
        self.connection = connection
        self.environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
        self.environment.globals |= {
            "config": lambda **_: "",
            "ref": lambda name: f"build.{name}",
            "source": lambda schema, table: f"{schema}.{table}",
            "var": {"config_version": config_version, "timezone": "Asia/Shanghai"}.__getitem__,
        }
        self.macros = "".join((PROJECT / "macros" / f"{name}.sql").read_text(encoding="utf-8") for name in MACROS)

    def render(self, text: str) -> str:
        return self.environment.from_string(self.macros + text).render()

    def query(self, text: str, zone: str = "Asia/Shanghai") -> list[tuple]:
        """The rows, moments in UTC: Python takes two moments of the hour that a zone has twice for different ones."""
        self.connection.execute("select set_config('timezone', %s, false)", [zone])
        rows = self.connection.execute(self.render(text)).fetchall()
        return [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows]

    def make(self, name: str) -> None:
        """The model ``name``, computed anew."""
        [path] = PROJECT.glob(f"models/*/{name}.sql")
        self.connection.execute(f"drop table if exists build.{name} cascade")
        self.connection.execute(f"create table build.{name} as {self.render(path.read_text(encoding='utf-8'))}")

    def fill(self, name: str, columns: str, rows: list[tuple]) -> None:
        """A table in the place of a model; ``columns`` as in `create table`."""
        self.connection.execute(f"drop table if exists build.{name} cascade")
        self.connection.execute(f"create table build.{name} ({columns})")
        with self.connection.cursor() as cursor, cursor.copy(f"copy build.{name} from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        self.connection.execute(f"analyze build.{name}")


@pytest.fixture(scope="module")
def calendar() -> clock.Calendar:
    return clock.Calendar(PROJECT_ROOT / "config" / "calendar.csv", HOURS)


@pytest.fixture(scope="module")
def models(scratch):
    """The index of the shipped calendar, in a database of its own."""
    settings = scratch()
    version = config.sync(settings)
    with database.connect(settings, autocommit=True) as connection:
        connection.execute("create schema if not exists build")
        models = Models(connection, version)
        models.make("stg_city")
        models.make("stg_calendar_day")
        yield models


def differing(cases: list[tuple], told: list[tuple], expected: list[tuple]) -> list[tuple]:
    """The first cases on which the two disagree: case, what the SQL says, what a person counts."""
    assert len(cases) == len(told) == len(expected)
    return [row for row in zip(cases, told, expected, strict=True) if row[1] != row[2]][:3]


@pytest.mark.parametrize("count", COUNTS)
def test_a_limit_ends_when_a_person_says_in_every_zone(models, calendar, count):
    chance = random.Random(count)
    cases = []
    for number in range(count):
        unit = chance.choice(UNITS)
        starts, has_24h_duty = chance.choice(("next_day", "at_once")), chance.random() < 0.3
        cases.append((number, moment(chance), an_amount(chance, unit), unit, starts, has_24h_duty))
    counted = [clock.ends(calendar, *case[1:]) for case in cases]
    expected = [(ended.ends_at, ended.clock, ended.is_provisional) for ended in counted]
    models.fill(
        "span",
        "span_id integer, from_at timestamptz, amount integer, unit text, starts text, has_24h_duty boolean",
        cases,
    )
    for zone in ZONES:
        told = models.query(
            "select ends_at, clock, is_provisional from {{ span_ends('build.span', 'build.stg_calendar_day') }} as s"
            " order by span_id",
            zone,
        )
        assert differing(cases, told, expected) == [], zone
    beyond = sum(ends_at is None for ends_at, _, _ in expected)
    provisional = sum(is_provisional for _, _, is_provisional in expected)
    assert count / 100 < beyond < provisional < count / 2, "the cases reach every corner"


@pytest.mark.parametrize("count", COUNTS)
def test_working_time_between_two_moments_is_what_a_person_counts(models, calendar, count):
    chance = random.Random(count + 1)
    cases = []
    for number in range(count):
        earlier = moment(chance)
        seconds = (chance.randint(-600, 7200), 60 * chance.randint(0, 600), chance.randint(0, 30 * 86400))
        cases.append((number, earlier, earlier + timedelta(seconds=chance.choice(seconds))))
    expected = [(clock.working_minutes(calendar, earlier, later),) for _, earlier, later in cases]
    models.fill("span", "span_id integer, earlier_at timestamptz, later_at timestamptz", cases)
    told = models.query(
        "select {{ working_minutes_between('span.earlier_at', 'earlier_day', 'span.later_at', 'later_day') }}"
        " from build.span left join build.stg_calendar_day as earlier_day"
        " on {{ local_date('span.earlier_at') }} = earlier_day.date_on left join build.stg_calendar_day as later_day"
        " on {{ local_date('span.later_at') }} = later_day.date_on order by span.span_id"
    )
    assert differing(cases, told, expected) == []


def test_the_reference_counts_every_single_minute(calendar):
    chance = random.Random(3)
    for _ in range(60):
        earlier = moment(chance).replace(second=0, microsecond=0)
        later = earlier + timedelta(minutes=chance.randint(0, 5000))
        if clock.working_minutes(calendar, earlier, later) is not None:
            assert clock.working_minutes(calendar, earlier, later) == clock.counted_minutes(calendar, earlier, later)


def a_limit(chance: random.Random) -> tuple[Limit, date, date | None]:
    def some(values):
        return tuple(chance.sample(values, chance.randint(1, 2))) if chance.random() < 0.4 else None

    unit = chance.choice(UNITS)
    first = date(2024, 1, 1) + timedelta(chance.choice((0, chance.randint(0, 1400))))
    last = first + timedelta(chance.randint(1, 700)) if chance.random() < 0.5 else None
    limit = Limit(
        limit_kind=chance.choice(("sign", "contact", "close")),
        request_types=some(("consult", "help", "complaint")),
        urgencies=some(("normal", "urgent", "emergency")),
        categories=some(("11", "1103", "110303", "02", "0201020304")),
        linkage_levels=some((1, 2)),
        amount=an_amount(chance, unit),
        unit=unit,
        starts=chance.choice(("next_day", "at_once")),
        text="made up for the test",
    )
    return limit, first, last


@pytest.mark.parametrize("count", COUNTS)
def test_the_first_rule_in_force_that_fits_binds(models, calendar, count):
    chance = random.Random(count + 2)
    limits = [a_limit(chance) for _ in range(60)]
    models.connection.execute("delete from config.entry where kind = 'limit_rule'")
    for number, (limit, first, last) in enumerate(limits, start=1):
        data = limit.model_dump(mode="json") | {
            "rule_no": number,
            "valid_from": first.isoformat(),
            "valid_to": last and last.isoformat(),
        }
        models.connection.execute(
            "insert into config.entry (kind, key, data, since_version) values ('limit_rule', %s, %s, 1)",
            [f"exam/{number:03}", Jsonb(data)],
        )
    models.make("stg_limit_rule")
    units = {  # level and duty in 2024, and from the day of the change on
        "A": [(1, True, date(2020, 1, 1), date(2026, 2, 14)), (2, False, date(2026, 2, 14), None)],
        "B": [(2, False, date(2020, 1, 1), None)],
        None: [(None, False, date(2020, 1, 1), None)],
    }
    rows = [(code, *row) for code, versions in units.items() if code for row in versions]
    register = "unit_code text, linkage_level smallint, has_24h_duty boolean, valid_from date, valid_to date"
    models.fill("stg_unit", register, rows)
    models.fill("stg_feed", "feed_code text, limit_source text", [("h1", "rules"), ("h2", "ticket")])

    cases, expected = [], []
    for number in range(count):
        case = {
            "feed": chance.choice(("h1", "h1", "h1", "h2", "h3")),
            "request_type": chance.choice(("consult", "help", "complaint", None)),
            "urgency": chance.choice(("normal", "urgent", "emergency", None)),
            "category": chance.choice(("11", "1103", "110303", "1104", "0201", "0201020304", "99", None)),
            "unit": chance.choice(("A", "B", None)),
            "at": moment(chance),
            "tickets": [moment(chance) if chance.random() < 0.2 else None for _ in range(3)],
        }
        cases.append((number, case))
        expected.append(expected_limits(calendar, limits, units, case))
    models.fill(
        "int_assignment__opened",
        "assignment_id integer, dispatched_case_id integer, unit_code text, dispatched_at timestamptz,"
        " ticket_sign_due_at timestamptz, ticket_contact_due_at timestamptz, ticket_due_at timestamptz",
        [(number, number, case["unit"], case["at"], *case["tickets"]) for number, case in cases],
    )
    models.fill(
        "int_case__rooted",
        "case_id integer, feed_code text, request_type text, urgency text, category_code text",
        [(n, case["feed"], case["request_type"], case["urgency"], case["category"]) for n, case in cases],
    )
    models.make("int_assignment__limited")
    told = models.query(
        "select sign_due_at, sign_limit_rule, sign_clock, is_sign_provisional, contact_due_at, contact_limit_rule,"
        " contact_clock, is_contact_provisional, due_at, limit_rule, clock, is_provisional"
        " from build.int_assignment__limited order by assignment_id"
    )
    assert differing(cases, told, expected) == []
    assert len({rule for row in expected for rule in row if isinstance(rule, str) and "/" in rule}) > 15


def expected_limits(calendar, limits, units, case) -> tuple:
    told, on = [], case["at"].date()
    for kind, ticket in zip(("sign", "contact", "close"), case["tickets"], strict=True):
        if ticket:
            told += [ticket, "ticket", "natural", False]
            continue
        level, has_24h_duty = next(
            (level, duty)
            for level, duty, first, last in units[case["unit"]]
            if first <= on and (last is None or on < last)
        )
        bound = (None, None, "natural", False)
        for number, (limit, first, last) in enumerate(limits, start=1):
            if (
                case["feed"] == "h1"
                and limit.limit_kind == kind
                and first <= on
                and (last is None or on < last)
                and (limit.request_types is None or case["request_type"] in limit.request_types)
                and (limit.urgencies is None or (case["urgency"] or "normal") in limit.urgencies)
                and (limit.linkage_levels is None or level in limit.linkage_levels)
                and (
                    limit.categories is None
                    or any((case["category"] or "").startswith(above) for above in limit.categories)
                )
            ):
                ended = clock.ends(calendar, case["at"], limit.amount, limit.unit, limit.starts, has_24h_duty)
                bound = (ended.ends_at, f"exam/{number:03}", ended.clock, ended.is_provisional)
                break
        told += bound
    return tuple(told)


@pytest.mark.parametrize("count", COUNTS)
def test_extensions_move_the_limit_as_a_person_would(models, calendar, count):
    chance = random.Random(count + 4)
    rules = [clock.ExtensionRule()]
    for _ in range(60):
        unit = chance.choice(UNITS)
        before = chance.choice(("workday", "day", "hour", "minute"))
        rules.append(
            clock.ExtensionRule(
                an_amount(chance, unit),
                unit,
                chance.choice((None, 1, 2)),
                chance.choice(("add", "replace")),
                chance.choice((None, (an_amount(chance, before), before))),
            )
        )
    models.fill(
        "stg_limit_rule",
        "limit_rule text, extension_amount integer, extension_unit text, extension_max_count integer,"
        " extension_further text, ask_before_amount integer, ask_before_unit text",
        [
            (str(number), rule.amount, rule.unit, rule.max_count, rule.further, *(rule.ask_before or (None, None)))
            for number, rule in enumerate(rules)
        ],
    )
    cases, events, expected = [], [], []
    for number in range(count):
        due, rule_no = moment(chance), chance.choice((None, *range(len(rules))))
        first = chance.choice(((due, False), (due, chance.random() < 0.1), (None, True), (None, False), (due, False)))
        has_24h_duty = chance.random() < 0.3
        asked = []
        for ordinal in range(chance.randint(1, 6)):
            apart = (timedelta(hours=chance.randint(-96, 96)), timedelta(0), timedelta(days=ordinal - 9))
            event = clock.Event(
                chance.choice(("EXTEND_REQUEST", "EXTEND_REQUEST", "EXTEND_GRANT", "EXTEND_GRANT", "EXTEND_DENY")),
                due + chance.choice(apart),
                chance.choice((None, None, None, due + timedelta(days=2), moment(chance))),
            )
            asked.append(event)
            events.append((number, f"{number:06}-{ordinal}", event.event_type, event.at, event.due_at))
        rule = clock.ExtensionRule() if rule_no is None else rules[rule_no]
        cases.append((number, first, rule_no, rule, has_24h_duty, asked))
        expected.append((clock.extended(calendar, first, rule, asked, has_24h_duty),))
    models.fill(
        "int_assignment__limited",
        "assignment_id integer, due_at timestamptz, is_provisional boolean, extension_rule text, has_24h_duty boolean",
        [(n, *first, None if rule_no is None else str(rule_no), duty) for n, first, rule_no, _, duty, _ in cases],
    )
    models.fill(
        "int_event__attached",
        "assignment_id integer, event_id text, event_type text, occurred_at timestamptz, due_at timestamptz,"
        " case_id text",
        [(*event, "k") for event in events],
    )
    models.fill("int_case__rooted", "case_id text, feed_code text", [("k", "h1")])
    models.fill("stg_feed", "feed_code text, extension_requests text", [("h1", "told")])
    models.make("int_assignment__extended")
    moved = {
        number: (due_at, is_provisional)
        for number, due_at, is_provisional in models.query(
            "select assignment_id, extended_due_at, is_provisional from build.int_assignment__extended"
        )
    }
    told = [(moved.get(number),) for number in range(count)]
    assert differing(cases, told, expected) == []
    assert count / 5 < len(moved) < count


# -- through a build --------------------------------------------------------------------------------------------------

REGISTER = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,valid_from
U1,城管局,department,1,linan_department,true,2020-01-01
U2,交通局,department,2,linan_department,false,2020-01-01
"""
LIMITS = [
    {"limit_kind": "sign", "amount": 2, "unit": "work_hour", "starts": "at_once"},
    {"limit_kind": "contact", "amount": 30, "unit": "work_minute", "starts": "at_once"},
    {"limit_kind": "close", "categories": ["02"], "amount": 3, "unit": "day", "starts": "at_once"},
    {
        "limit_kind": "close",
        "amount": 5,
        "unit": "workday",
        "starts": "next_day",
        "extension": {"amount": 5, "unit": "workday", "max_count": 1},
    },
]
HANDLED = [  # case, category, event, moment, unit
    (1, "0101", "DISPATCH", "2026-10-09 16:30:02", "交通局"),
    (1, "0101", "SIGN", "2026-10-10 09:30:00", "交通局"),
    (1, "0101", "EXTEND_REQUEST", "2026-10-15 23:59:59", "交通局"),
    (1, "0101", "EXTEND_GRANT", "2026-10-16 09:00:00", "交通局"),
    (1, "0101", "CLOSE", "2026-10-22 16:50:02", "交通局"),
    (2, "020102", "DISPATCH", "2026-10-30 23:30:00", "城管局"),
    (2, "020102", "FIRST_CONTACT", "2026-10-31 00:00:00", "城管局"),
    (2, "020102", "CLOSE", "2026-11-02 23:30:00", "城管局"),
    (3, "0101", "DISPATCH", "2026-12-24 08:00:00", "交通局"),
    (4, "0101", "DISPATCH", "2026-12-31 17:00:00", "城管局"),
    (5, "0101", "DISPATCH", "2027-12-28 10:00:00", "交通局"),
    # the hour that New York has twice
    (6, "020102", "DISPATCH", "2026-11-01 13:30:00", "交通局"),
    (6, "020102", "CLOSE", "2026-11-01 14:30:00", "交通局"),
]
FACT = """
select
    cases.case_no, fact.sign_due_at, fact.contact_due_at, fact.due_at, fact.extended_due_at, fact.clock,
    fact.is_calendar_provisional, fact.is_signed_on_time, fact.is_contacted_on_time, fact.is_closed_on_time,
    fact.working_minutes_to_close, fact.natural_minutes_to_close
from mart.fct_timeliness as fact join mart.fct_case as cases using (case_id) order by cases.case_no
"""


@pytest.fixture
def city(scratch, tmp_path):
    """One hotline, two units, limits of every kind, and what was done about six cases."""
    days = (PROJECT_ROOT / "config" / "calendar.csv").read_text(encoding="utf-8")
    deliveries = [given.CASES, given.EVENTS]
    folder = given.config(tmp_path / "config", [given.feed(deliveries=deliveries)], units=REGISTER, calendar=days)
    scheme = yaml.safe_load((PROJECT_ROOT / "config" / "schemes" / "linan.yml").read_text(encoding="utf-8"))
    scheme["limits"] = [limit | {"text": "made up for the test"} for limit in LIMITS]
    (folder / "schemes").mkdir()
    (folder / "schemes" / "linan.yml").write_text(yaml.safe_dump(scheme, allow_unicode=True), encoding="utf-8")
    made = scratch(folder)
    blank = {"转办时间": "", "办理期限": "", "办结时间": ""}
    cases = {
        number: {"工单编号": str(number), "分类": category, "来电号码": f"1380000000{number}"} | blank
        for number, category, *_ in HANDLED
    }
    given.case_file(made.drop / "h1" / "cases.csv", cases.values())
    events = [
        {"case_no": number, "event_type": event, "occurred_at": moment, "unit_name": unit}
        for number, _, event, moment, unit in HANDLED
    ]
    given.csv_file(made.drop / "h1" / "events.csv", events)
    for delivery in ("cases", "events"):
        load_file("h1", delivery, made.drop / "h1" / f"{delivery}.csv", date(2026, 10, 12), settings=made)
    with database.connect(made) as connection:
        connection.execute("update audit.batch set status = 'accepted'")
    return made


def facts(city) -> list[tuple]:
    with database.connect(city) as connection:
        rows = connection.execute(FACT).fetchall()
    return [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows]


def of_sessions_in(zone: str, monkeypatch):
    """Our sessions and dbt's have another zone than the city's from here on."""

    def connected(target, settings, autocommit, rows):
        connection = CONNECT(target, settings, True, rows)
        connection.execute("select set_config('timezone', %s, false)", [zone])
        connection.autocommit = autocommit
        return connection

    @contextmanager
    def environment(settings):
        with ENVIRONMENT(settings):
            os.environ["PGTZ"] = zone
            yield

    monkeypatch.setattr(sys.modules["minhu.database.connect"], "_connect", connected)
    monkeypatch.setattr(dbt, "_environment", environment)


@pytest.mark.long
def test_the_facts_are_the_same_wherever_the_server_stands(city, monkeypatch):
    told = {}
    for zone in ZONES:
        of_sessions_in(zone, monkeypatch)
        with database.connect(city, autocommit=True) as connection:
            assert connection.execute("show timezone").fetchone() == (zone,)
            connection.execute(f"alter database {connection.info.dbname} set timezone = '{zone}'")
        build(city, full_refresh=True)
        told[zone] = facts(city)
    assert told[ZONES[1]] == told[ZONES[2]] == told[ZONES[0]]
    expected = [
        ("1", "2026-10-10 10:00:02", "2026-10-09 17:00:02", "2026-10-16 00:00", "2026-10-23 00:00", "working"),
        ("2", "2026-10-31 01:30", "2026-10-31 00:00", "2026-11-02 23:30", None, "natural"),
        ("3", "2026-12-24 11:00", "2026-12-24 09:30", "2027-01-01 00:00", None, "working"),
        ("4", "2026-12-31 19:00", "2026-12-31 17:30", "2027-01-09 00:00", None, "working"),
        ("5", "2027-12-28 12:00", "2027-12-28 10:30", None, None, "working"),
        ("6", "2026-11-02 11:00", "2026-11-02 09:30", "2026-11-04 13:30", None, "natural"),
    ]
    flags = [  # provisional; signed, contacted, closed on time; working and natural minutes
        (False, True, None, True, 4220, 18740),
        (False, None, True, True, 420, 4320),
        (False, None, None, None, None, None),
        (True, None, None, None, None, None),
        (True, None, None, None, None, None),
        (False, None, None, True, 0, 60),
    ]
    assert told[ZONES[0]] == [
        (case_no, *(moment and at(moment) for moment in moments), kind, *flag)
        for (case_no, *moments, kind), flag in zip(expected, flags, strict=True)
    ]


@pytest.mark.long
def test_a_calendar_made_official_or_longer_rebuilds_what_rested_on_it(city):
    build(city)
    before = {row[0]: row for row in facts(city)}
    calendar = city.config / "calendar.csv"
    text = calendar.read_text(encoding="utf-8")
    settled = text.replace("2027-01-04,true,false,provisional,", "2027-01-04,false,false,official,元旦")
    settled = "".join(
        line.replace("provisional", "official") if line.startswith("2027-01") else line
        for line in settled.splitlines(keepends=True)
    )
    assert settled != text
    days = [date(2028, 1, 1) + timedelta(number) for number in range(10)]
    grown = "".join(f"{day},{str(day.weekday() < 5).lower()},false,provisional,\n" for day in days)
    calendar.write_text(settled + grown, encoding="utf-8")
    build(city)
    after = {row[0]: row for row in facts(city)}
    assert {case_no for case_no in after if after[case_no] != before[case_no]} == {"4", "5"}
    assert after["4"][3] == at("2027-01-12 00:00") and after["4"][6] is False, "a working day later, and settled"
    assert after["5"][3] == at("2028-01-05 00:00") and after["5"][6] is True, "the calendar did not reach there"
    build(city, full_refresh=True)
    assert {row[0]: row for row in facts(city)} == after


def test_every_worked_example_holds(scratch):
    settings = scratch()
    version = config.sync(settings)
    told = dbt.run(settings, "tag:facts", {"build_id": 0, "config_version": version}, unit_tests=True)
    assert told.is_ok, told.complaint
    examples = {node.node.rsplit(".", 1)[-1] for node in told.nodes if node.node.startswith("unit_test")}
    assert examples >= {
        "a_limit_ends_as_the_decisions_say",
        "the_first_rule_in_force_on_the_day_of_dispatch_binds",
        "an_extension_adds_to_the_limit_in_force",
        "a_fact_tells_the_limit_in_force_and_the_time_it_took",
        "a_call_is_compared_within_window_and_place",
        "the_latest_that_the_rule_takes_for_the_same_is_repeated",
    }


def test_the_days_of_the_worked_examples_are_those_of_the_calendar(models):
    lines = (PROJECT / "tests" / "fixtures" / "days_of_2026.csv").read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    told = models.query(f"select {', '.join(columns)} from build.stg_calendar_day")
    index = {str(row[0]): tuple(str(value).lower() for value in row[:-5]) for row in told}
    moments = {str(row[0]): row[-5:] for row in told}
    for line in lines[1:]:
        day, *values = line.split(",")
        assert index[day][1:] == tuple(values[:-5])
        assert moments[day] == tuple(datetime.fromisoformat(f"{value}:00") for value in values[-5:])
