"""Retention deletes what it says and nothing else: facts stay as they are, accounts still add up."""

import json
import os
import random
import time
from datetime import date

import pytest
import yaml
from click.testing import CliRunner

from minhu import config, database
from minhu.cli import minhu
from minhu.errors import BadDeclaration, BadDelivery
from minhu.feeds.contract_files import json_schema
from minhu.landing.store import store_of
from minhu.load import load_file, replay
from minhu.load.prune import Pruned, prune, read_terms
from minhu.warehouse.build import build
from minhu.warehouse.reconcile import reconcile
from tests import given
from tests.anew import same_anew

UNITS = """unit_code,unit_name,unit_kind,linkage_level,peer_group,has_24h_duty,aliases,valid_from
U1,城管局,department,1,linan_department,true,市城管局,2020-01-01
U2,交通局,department,2,linan_department,false,,2020-01-01
"""
RETENTION = {"landed_days": 100, "rejected_days": 30, "identical_days": 60}
FACTS = ("fct_case", "fct_timeliness", "fct_satisfaction", "fct_violation")
TABLES = {"case": "case_record", "event": "case_event", "callback": "callback"}


@pytest.fixture
def make(scratch, tmp_path):
    def make(**feed):
        declared = [given.feed(deliveries=[given.CASES, given.EVENTS, given.CALLBACKS], **feed), given.feed("h2")]
        folder = given.config(tmp_path / "config", declared, units=UNITS)
        (folder / "city.yml").write_text(yaml.safe_dump(given.CITY | {"retention": RETENTION}), encoding="utf-8")
        return scratch(folder)

    return make


@pytest.fixture
def city(make):
    return make()


def query(city, text, *parameters):
    with database.connect(city) as connection:
        found = connection.execute(text, parameters)
        return found.fetchall() if found.description else []


def load(city, delivery, rows, *, feed="h1", day=12, status="accepted"):
    path = city.drop / feed / f"{delivery}_{time.time_ns()}.csv"
    (given.case_file if delivery in ("cases", "all") else given.csv_file)(path, rows)
    batch_id = load_file(feed, delivery, path, date(2026, 10, day), settings=city).batch_id
    query(city, "update audit.batch set status = %s where batch_id = %s", status, batch_id)
    return batch_id


def age(city, days, batch_id=None):
    """Makes a batch, or all of them, and their landed files so many days older."""
    query(
        city,
        "update audit.batch set loaded_at = loaded_at - %s * interval '1 day' where batch_id = coalesce(%s, batch_id)",
        days,
        batch_id,
    )
    for path in city.landing.glob("??/*"):
        past = path.stat().st_mtime - days * 86400
        os.utime(path, (past, past))


def landed(city):
    return sorted(store_of(city).names())


def counts(gone):
    return {(one.what, one.feed_code): one.count for one in gone}


def facts(city):
    """Every row of every fact, where it says it comes from too, as text in a fixed order."""
    tables = [*(f"mart.{table}" for table in FACTS), "audit.orphan"]
    return {table: query(city, f"select to_jsonb(f)::text from {table} as f order by 1") for table in tables}


def accounts_add_up(city):
    for kind, table in TABLES.items():
        wrong = query(
            city,
            "select batch_id, staged_rows, stands.rows, gone.rows from audit.batch"
            f" left join (select batch_id, count(*) as rows from staging.{table} group by 1) as stands using (batch_id)"
            " left join (select batch_id, sum(rows) as rows from audit.pruned where what = 'identical_rows' group by 1)"
            " as gone using (batch_id)"
            " where kind = %s and staged_rows <> coalesce(stands.rows, 0) + coalesce(gone.rows, 0)",
            kind,
        )
        assert wrong == []
    rejects = query(
        city,
        "select batch_id from audit.batch left join (select batch_id, count(*) as rows from restricted.rejected_row"
        " group by 1) as stands using (batch_id) left join (select batch_id, sum(rows) as rows from audit.pruned"
        " where what = 'rejected_rows' group by 1) as gone using (batch_id)"
        " where rejected_rows <> coalesce(stands.rows, 0) + coalesce(gone.rows, 0)",
    )
    assert rejects == []


# -- landed files ---------------------------------------------------------------------------------------------------


def test_a_landed_file_goes_when_its_batch_is_old_and_a_replay_says_so(city):
    old = load(city, "cases", [{}])
    age(city, 101)
    young = load(city, "cases", [{"工单编号": "2"}])
    assert counts(prune(city)) == {("landed_file", "h1"): 1}
    assert len(landed(city)) == 1
    assert query(city, "select batch_id, what, rows, kept_days, length(source_sha256) from audit.pruned") == [
        (old, "landed_file", None, 100, 64)
    ]
    with pytest.raises(
        BadDelivery, match=rf"batch {old}: its landed file was deleted on \d{{4}}-\d\d-\d\d, as retention says"
    ):
        replay(city, old)
    assert replay(city, young).outcome == "loaded"
    assert prune(city) == []


def test_the_newest_batch_that_refers_to_a_file_decides(city):
    load(city, "cases", [{}])
    age(city, 101)
    load(city, "cases", [{}], day=13)
    assert prune(city) == []
    age(city, 101)
    assert counts(prune(city)) == {("landed_file", "h1"): 1}
    assert query(city, "select count(*) from audit.pruned") == [(2,)], "a record for each batch that referred to it"


@pytest.mark.parametrize("status", ["loaded", "held"])
def test_nothing_of_a_batch_that_waits_for_a_verdict_goes(city, status):
    batch_id = load(city, "cases", [{}, {"工单编号": ""}])
    query(
        city,
        "update audit.batch set status = %s, reason_code = 'X', reason = 'x' where batch_id = %s",
        status,
        batch_id,
    )
    age(city, 500)
    assert prune(city) == []


def test_a_file_that_landed_today_stays_whatever_its_batches(city):
    load(city, "cases", [{}])
    query(city, "update audit.batch set loaded_at = loaded_at - interval '500 days'")
    assert prune(city) == []


def test_a_file_of_no_batch_goes_by_its_own_age(city):
    batch_id = load(city, "cases", [{}])
    query(city, "delete from staging.case_record")
    query(city, "delete from audit.batch where batch_id = %s", batch_id)
    age(city, 99)
    assert prune(city) == []
    age(city, 2)
    assert counts(prune(city)) == {("landed_file", None): 1}
    assert landed(city) == [] and query(city, "select batch_id from audit.pruned") == [(None,)]


def test_killed_between_record_and_deletion_the_next_run_deletes(city, monkeypatch):
    load(city, "cases", [{}])
    age(city, 101)
    monkeypatch.setattr(
        "minhu.landing.store.Folder.remove", lambda self, name: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        prune(city)
    monkeypatch.undo()
    assert len(landed(city)) == 1
    prune(city)
    assert landed(city) == []


# -- retention as it is declared ---------------------------------------------------------------------------------------


def test_a_feed_may_keep_longer_or_shorter_than_the_city(make):
    city = make(retention={"landed_days": 300})
    assert read_terms(city).feeds["h1"].model_dump() == RETENTION | {"landed_days": 300, "attachment_days": None}
    for feed in ("h1", "h2"):
        load(city, "cases", [{"工单编号": feed}], feed=feed)
    age(city, 101)
    assert counts(prune(city)) == {("landed_file", "h2"): 1}


def test_without_a_number_everything_is_kept(city):
    (city.config / "city.yml").write_text(yaml.safe_dump(given.CITY), encoding="utf-8")
    load(city, "cases", [{}, {"工单编号": ""}])
    age(city, 10_000)
    assert prune(city) == []


def test_retention_is_part_of_the_schema_and_a_slip_in_it_is_told(make, tmp_path):
    assert set(json_schema()["$defs"]["Retention"]["properties"]) == set(RETENTION)
    with pytest.raises(BadDeclaration, match="landed_days"):
        read_terms(make(retention={"landed_days": 0}))


def test_another_retention_is_a_version_of_the_configuration_and_rebuilds_nothing(city):
    load(city, "cases", [{}])
    build(city)
    first = config.sync(city)
    changed = yaml.safe_dump(given.CITY | {"retention": RETENTION | {"landed_days": 200}})
    (city.config / "city.yml").write_text(changed, encoding="utf-8")
    assert config.sync(city) == first + 1
    assert build(city).touched_cases == 0
    told = (
        "select data ->> 'landed_days' from config.entry where kind = 'retention' and key = '*' order by since_version"
    )
    assert query(city, told) == [("100",), ("200",)]


# -- rejected rows --------------------------------------------------------------------------------------------------


def test_rejected_rows_go_and_the_account_still_adds_up(city):
    load(city, "cases", [{}, {}, {"工单编号": "3"}, {"工单编号": ""}, {"工单编号": "2", "受理时间": "昨天"}])
    assert prune(city) == []
    age(city, 31)
    assert prune(city) == [Pruned("rejected_rows", "h1", 2, 30)]
    assert query(city, "select count(*) from restricted.rejected_row") == [(0,)]
    accounts_add_up(city)
    line = next(line for line in reconcile(city, date(2026, 10, 12)).lines if line.delivery == "cases")
    assert (line.received, line.staged, line.rejected, line.duplicates, line.pruned) == (5, 2, 2, 1, 2)


# -- identical versions ------------------------------------------------------------------------------------------------


def case(number, **row):
    return {"工单编号": str(number), "来电号码": f"1380000{number:04}"} | row


# What day after day says of a case, a letter each (a blank: nothing), and which of these versions stay.
RUNS = {
    "A": "A",
    "AA": "AA",
    "AxA": "AxA",
    "AAA": "A A",
    "AAAAA": "A   A",
    "A A A": "A   A",
    "AAAxAA": "A AxAA",
    "xAAAAx": "xA  Ax",
}


def test_of_a_run_of_identical_versions_the_first_and_the_last_stay(city):
    batches = []
    for day in range(6):
        rows = [case(n, 主要内容=sent[day]) for n, sent in enumerate(RUNS) if sent[day : day + 1].strip()]
        batches.append(load(city, "cases", [*rows, case(100 + day)], day=day + 1))
    build(city)
    age(city, 61)
    before = facts(city)
    prune(city)
    for n, stay in enumerate(RUNS.values()):
        kept = query(city, "select batch_id from staging.case_record where case_no = %s order by 1", str(n))
        assert kept == [(batch_id,) for batch_id, letter in zip(batches, stay, strict=False) if letter != " "], stay
    accounts_add_up(city)
    build(city, full_refresh=True)
    assert facts(city) == before


def three_identical(city, status="accepted"):
    """Three batches that say the same of a case; returns the one in the middle, whose status is as given."""
    batches = [load(city, "cases", [case(1), case(100 + day)], day=day) for day in (1, 2, 3)]
    query(city, "update audit.batch set status = %s, reason_code = 'X' where batch_id = %s", status, batches[1])
    build(city)
    return batches[1]


def test_only_old_versions_go(city):
    middle = three_identical(city)
    age(city, 59)
    assert prune(city) == []
    age(city, 2, middle)
    assert counts(prune(city)) == {("identical_rows", "h1"): 1}


@pytest.mark.long
def test_a_version_that_still_waits_stays_and_parts_the_run(city):
    three_identical(city, status="held")
    load(city, "cases", [case(1), case(104)], day=4)
    build(city)
    age(city, 61)
    assert prune(city) == []


def test_versions_no_build_has_taken_stay(city):
    for day in (1, 2, 3):
        load(city, "cases", [case(1), case(100 + day)], day=day)
    age(city, 61)
    assert prune(city) == []


def test_what_a_snapshot_told_is_no_ground_to_delete_on(city):
    """The next snapshot withdraws it whole: what it repeats must still stand then."""
    path = city.config / "feeds" / "h1.yml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    declared["deliveries"].append(given.CASES | {"name": "all", "mode": "snapshot"})
    path.write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    for day, delivery in enumerate(("cases", "cases", "all"), 1):
        load(city, delivery, [case(1), case(100 + day)], day=day)
    build(city)
    age(city, 61)
    assert prune(city) == []


@pytest.mark.long
def test_what_is_known_by_its_place_in_the_file_is_not_taken_for_what_stands_in_another_place(city):
    """Two callbacks of one moment are told apart by their order alone: the second of one file is not the first of the
    next, though both say the same."""
    load(city, "cases", [case(1)])
    same = {"case_no": 1, "called_at": "2026-10-16 10:00"}
    batches = []
    for day, told in enumerate((["satisfied", "neutral"], ["neutral"], ["neutral"], ["neutral"]), 13):
        rows = [same | {"satisfaction_code": code} for code in told]
        batches.append(load(city, "callbacks", [*rows, same | {"called_at": f"2026-10-{day} 17:00"}], day=day))
    build(city)
    age(city, 61)
    before = facts(city)
    prune(city)
    assert query(city, "select batch_id from audit.pruned") == [(batches[2],)]
    build(city, full_refresh=True)
    assert facts(city) == before


@pytest.mark.long
def test_events_and_callbacks_go_and_those_whose_case_has_not_come_stay(city):
    load(city, "cases", [case(1)])
    for day in (13, 14, 15):
        both = [
            {"case_no": number, "event_type": "SIGN", "occurred_at": "2026-10-12 10:00", "unit_name": "城管局"}
            for number in (1, 2)
        ]
        load(city, "events", [*both, both[0] | {"occurred_at": f"2026-10-{day} 11:00"}], day=day)
        called = [
            {"case_no": number, "called_at": "2026-10-16 10:00", "satisfaction_code": "satisfied"} for number in (1, 2)
        ]
        load(city, "callbacks", [*called, called[0] | {"called_at": f"2026-10-{day} 17:00"}], day=day)
    build(city)
    assert len(facts(city)["audit.orphan"]) == 6
    age(city, 61)
    before = facts(city)
    assert counts(prune(city)) == {("identical_rows", "h1"): 2}
    accounts_add_up(city)
    build(city, full_refresh=True)
    assert facts(city) == before


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 8))])
def test_facts_are_the_same_row_for_row_after_pruning_any_history(city, seed):
    """Random re-sends, late files, replays and held batches; then retention, then everything built anew."""
    draw, batches = random.Random(seed), []
    for at in range(12):
        feed, day = draw.choice(["h1", "h1", "h2"]), draw.randint(1, 20)
        status = draw.choice(["accepted"] * 6 + ["loaded"])
        rows = [
            case(n, 主要内容=draw.choice("AAAB"), 办结时间=draw.choice(["", "2026-10-13 10:00:00"])) for n in range(8)
        ]
        batches.append(load(city, "cases", [*rows, case(100 + at)], feed=feed, day=day, status=status))
        noted = [
            {
                "case_no": n,
                "event_type": draw.choice(["SIGN", "SIGN", "REWORK"]),
                "occurred_at": "2026-10-12 09:30",
                "unit_name": "城管局",
                "note": draw.choice("ab"),
            }
            for n in (*range(8), 77)
            for _ in range(draw.randint(1, 2))
        ]
        load(city, "events", [*noted, {"case_no": at, "event_type": "CLOSE", "occurred_at": "2026-10-14"}], day=day)
        if at == 7:
            build(city)
            query(
                city,
                "update audit.batch set status = 'accepted' where batch_id = %s",
                replay(city, batches[3]).batch_id,
            )
    build(city)
    before = facts(city)
    assert len(before["mart.fct_case"]) > 10 and before["audit.orphan"]
    age(city, 61)
    [gone] = [one.count for one in prune(city) if (one.what, one.feed_code) == ("identical_rows", "h1")]
    assert gone > 5, "a history in which nothing goes proves nothing"
    accounts_add_up(city)
    build(city, full_refresh=True)
    assert facts(city) == before
    assert [one for one in prune(city) if one.what == "identical_rows"] == []
    # The next day comes as to a warehouse that never pruned: nothing that stands already is touched.
    load(city, "cases", [case(n, 主要内容="C") for n in range(3)], day=25)
    build(city)
    same_anew(city, lambda: facts(city))


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_tells_what_would_go_and_deletes_only_when_asked(city, monkeypatch):
    for name, value in {
        "HOME": city.home,
        "CONFIG": city.config,
        "DROP": city.drop,
        "DATABASE_URL": city.database_url,
    }.items():
        monkeypatch.setenv(f"MINHU_{name}", str(value))
    load(city, "cases", [{}, {"工单编号": ""}])
    age(city, 101)

    def run(*options):
        told = CliRunner().invoke(minhu, ["prune", "--json", *options], catch_exceptions=False)
        assert told.exit_code == 0
        return {one["what"]: one["count"] for one in json.loads(told.stdout)}

    would = run("--dry-run")
    assert would == {"landed_file": 1, "rejected_rows": 1}
    assert len(landed(city)) == 1 and query(city, "select count(*) from audit.pruned") == [(0,)]
    assert query(city, "select count(*) from restricted.rejected_row") == [(1,)]
    assert run() == would
    assert landed(city) == [] and run() == {}
