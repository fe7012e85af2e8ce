"""The state of deliveries: what is awaited, late, missing, waived or there; who waits for it, and what comes late."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import yaml
from click.testing import CliRunner

from minhu import assess, database, quality
from minhu.cli import minhu
from minhu.config import sync
from minhu.errors import BadDelivery, Refused
from minhu.load import load_delivery, load_file
from minhu.load.awaited import LOOK_AGAIN, Missing, look_again_at
from minhu.load.late import load_late
from minhu.settings import Settings
from minhu.warehouse.again import to_build_again
from minhu.warehouse.arrival_times import habits
from minhu.warehouse.build import build
from minhu.warehouse.deliveries import await_until, deliveries, not_in
from tests import given
from tests.publish.city import login

TERMS = {
    "expected": {"due_days": 3, "due_time": "00:00"},
    "late": {"due_days": 0, "due_time": "00:00", "grace_minutes": 10_000},
    "missing": {"due_days": 0, "due_time": "00:00", "grace_minutes": 1},
    "empty": {"due_days": 0, "due_time": "00:00", "grace_minutes": 1, "may_be_empty": True},
}


@pytest.fixture
def city(scratch, tmp_path) -> Settings:
    """A feed for each of the terms."""
    feeds = [declared(code, arrival=terms) for code, terms in TERMS.items()]
    city = scratch(given.config(tmp_path / "config", feeds))
    sync(city)
    return city


@pytest.fixture
def day(city) -> date:
    return datetime.now(city.zone).date() - timedelta(days=1)


def declared(code: str, **how: object) -> dict:
    source = given.CASES["source"] | {"path": f"{code}/cases_{{date}}.csv"}
    return given.feed(code, deliveries=[given.CASES | {"source": source}], **how)


def states(city: Settings, on: date) -> dict[str, str]:
    return {one.feed_code: one.state for one in deliveries(city, on, on)}


def put(city: Settings, feed: str, on: date, *rows: dict):
    return given.case_file(city.drop / feed / f"cases_{on:%Y%m%d}.csv", list(rows) or [{}])


def test_what_has_not_come_is_expected_late_missing_or_need_not_come(city, day):
    assert states(city, day) == {code: code for code in TERMS}
    found = {one.feed_code: one for one in deliveries(city, day, day)}
    midnight = datetime.combine(day, datetime.min.time(), city.zone)
    assert found["late"].since == found["late"].due_at == midnight and found["late"].is_late
    assert found["missing"].since == midnight + timedelta(minutes=1)
    assert {one.feed_code for one in not_in(list(found.values()))} == {"expected", "late", "missing"}
    assert deliveries(city, day - timedelta(days=3), day - timedelta(days=1)) == [], "nobody had declared it"


def test_of_a_month_loaded_afterwards_the_days_that_anything_came_of_are_looked_at(city, day):
    """What was declared from the beginning, that is; a feed that joins later owes nothing for the days before."""
    load_file("late", "cases", put(city, "late", date(2026, 10, 12)), date(2026, 10, 12), settings=city)
    given.config(city.config, [declared("joined", arrival=TERMS["missing"])])
    sync(city)
    found = deliveries(city, date(2026, 10, 11), date(2026, 10, 13))
    assert {(one.business_date.day, one.feed_code, one.state) for one in found} == {
        (12, "late", "loaded"), (12, "expected", "missing"), (12, "missing", "missing"), (12, "empty", "empty")
    }  # fmt: skip


def test_a_delivery_goes_from_its_file_to_the_gates_verdict(city, day):
    put(city, "missing", day)
    result = load_delivery("missing", "cases", day, settings=city)[0]
    assert states(city, day)["missing"] == "loaded"
    quality.judge_arrivals(city)
    (one,) = [one for one in deliveries(city, day, day) if one.feed_code == "missing"]
    assert (one.state, one.batches, one.is_late) == ("accepted", 1, True)
    with database.connect(city) as connection:
        connection.execute(
            "update audit.batch set status = 'held', reason_code = 'X', reason = 'y' where batch_id = %s",
            [result.batch_id],
        )
    (one,) = [one for one in deliveries(city, day, day) if one.feed_code == "missing"]
    assert (one.state, one.reason_code, one.reason) == ("held", "X", "y")


def test_a_refused_file_and_one_that_cannot_be_loaded_are_no_absence(city, day):
    put(city, "late", day).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(BadDelivery):
        load_delivery("late", "cases", day, settings=city)
    assert states(city, day)["late"] == "refused"
    put(city, "missing", day)
    (city.home / "secrets").mkdir(exist_ok=True)
    (city.home / "secrets" / "landing-key").write_text("no key")
    with pytest.raises(Refused):
        load_delivery("missing", "cases", day, settings=city)
    (one,) = [one for one in deliveries(city, day, day) if one.feed_code == "missing"]
    assert one.state == "arrived" and one.reason_code == "REFUSED" and "no age secret key" in one.reason
    (city.home / "secrets" / "landing-key").unlink()
    load_delivery("missing", "cases", day, settings=city)
    assert states(city, day)["missing"] == "loaded"


def test_a_load_waits_for_what_is_late_and_fails_with_what_is_missing(city, day):
    def again(feed):
        return look_again_at(city, feed, "cases", day, load_delivery(feed, "cases", day, settings=city))

    soon = datetime.now(UTC) + LOOK_AGAIN
    for feed in ("expected", "late"):
        assert abs(again(feed) - soon) < timedelta(seconds=30)
    with pytest.raises(Missing, match=r"missing/cases brought nothing for .* was due at .* minhu deliveries waive"):
        again("missing")
    assert again("empty") is None
    put(city, "late", day)
    assert again("late") is None


def test_of_looks_in_vain_the_first_and_the_last_are_kept(city, day):
    """The first says whether a delivery was late, the last whether a day without one was looked at after its time."""
    query = "select attempted_at from audit.attempt where outcome = 'nothing_delivered' order by 1"
    seen = []
    for _ in range(4):
        load_delivery("missing", "cases", day, settings=city)
        with database.connect(city) as connection:
            seen.append([at for (at,) in connection.execute(query)])
    first = seen[0][0]
    assert [len(looks) for looks in seen] == [1, 2, 2, 2] and {looks[0] for looks in seen} == {first}
    assert seen[1][1] < seen[2][1] < seen[3][1]


def test_what_comes_late_is_loaded_by_itself_and_what_fails_keeps_nothing_else(city, day):
    put(city, "empty", day).write_bytes(b"a,b\n1,2\n")
    assert load_late(city) == []
    put(city, "missing", day)
    put(city, "late", day)  # its own run still waits for it
    assert [(one.feed_code, one.outcome) for one in load_late(city)] == [("missing", "loaded")]
    assert states(city, day) == {"expected": "expected", "late": "late", "missing": "loaded", "empty": "refused"}
    assert load_late(city) == []


def test_an_evaluator_waives_what_need_not_come_and_takes_it_back(city, day):
    given_ = {"feed_code": "missing", "first_on": day, "last_on": day + timedelta(days=6), "reason": "国庆停机"}
    made = assess.record(login(city, "d_shen", "evaluator"), "waive_delivery", **given_)
    assert states(city, day)["missing"] == "waived"
    assert "missing" not in {one.feed_code for one in not_in(deliveries(city, day, day))}
    assert look_again_at(city, "missing", "cases", day, load_delivery("missing", "cases", day, settings=city)) is None
    (listed,) = assess.listing(city, "delivery_waivers")
    assert (listed["state"], listed["reason"], listed["waived_by"]) == ("in_force", "国庆停机", "d_shen")
    with pytest.raises(Refused, match="the login d_bi may not"):
        assess.record(login(city, "d_bi", "bi"), "waive_delivery", **given_)
    assess.record(city, "revoke_delivery_waiver", delivery_waiver_id=made, reason="提前恢复")
    assert states(city, day)["missing"] == "missing"
    with pytest.raises(Refused, match="there is no waiver"):
        assess.record(city, "revoke_delivery_waiver", delivery_waiver_id=made, reason="x")
    with pytest.raises(Refused, match="no such delivery is declared"):
        assess.record(city, "waive_delivery", **given_ | {"feed_code": "nobody"})


def test_a_waived_delivery_that_comes_all_the_same_is_loaded_and_told(city, day):
    assess.record(city, "waive_delivery", feed_code="missing", first_on=day, last_on=day, reason="停机")
    put(city, "missing", day)
    load_delivery("missing", "cases", day, settings=city)
    assert states(city, day)["missing"] == "loaded"


def test_the_nightly_build_waits_until_its_cut_off_and_the_grace(city, day):
    declare(city, {"earliest": "03:00", "cut_off": "06:00", "grace_minutes": 60})
    at = datetime.combine(day + timedelta(days=1), datetime.min.time(), city.zone)
    assert await_until(city, day, at.replace(hour=3)) == at.replace(hour=3, minute=2)
    assert await_until(city, day, at.replace(hour=6, minute=59)) == at.replace(hour=7)
    assert await_until(city, day, at.replace(hour=7)) is None
    assert await_until(city, day - timedelta(days=1), at.replace(hour=3)) is None, "a date of before is not waited for"


def test_it_is_built_again_when_something_came_and_nothing_runs(city, day):
    declare(city, {"earliest": "00:00", "cut_off": "00:00", "grace_minutes": 0})
    later = datetime.now(city.zone) + timedelta(minutes=5)
    assert to_build_again(city, later) == {}
    put(city, "missing", day)
    load_delivery("missing", "cases", day, settings=city)
    assert to_build_again(city) == {}, "the rest of the delivery may follow"
    told = to_build_again(city, later)
    assert (told["business_date"], told["batches"]) == ((later.date() - timedelta(days=1)).isoformat(), 1)
    quality.judge_arrivals(city)
    with database.connect(city) as connection:  # what failed over these very batches would fail again
        connection.execute(
            "insert into audit.build (config_version, code_version, status, started_at, finished_at)"
            " select max(config_version), 'x', 'failed', clock_timestamp(), clock_timestamp() from config.version"
        )
    assert to_build_again(city, later) == {}
    put(city, "late", day)
    load_delivery("late", "cases", day, settings=city)
    assert to_build_again(city, later)["batches"] == 2, "what came since may be the mend"
    quality.judge_arrivals(city)
    build(city)
    assert to_build_again(city, later) == {}


def test_before_the_nights_build_nothing_is_built_again(city, day):
    declare(city, {"earliest": "03:00", "cut_off": "06:00", "grace_minutes": 60})
    put(city, "missing", day)
    load_delivery("missing", "cases", day, settings=city)
    tomorrow = datetime.combine(day + timedelta(days=2), datetime.min.time(), city.zone)
    assert to_build_again(city, tomorrow.replace(hour=5)) == {}
    assert to_build_again(city, tomorrow.replace(hour=2))["batches"] == 1
    assert to_build_again(city, tomorrow.replace(hour=7, minute=1))["batches"] == 1


def declare(city: Settings, terms: dict) -> None:
    file = city.config / "city.yml"
    told = yaml.safe_load(file.read_text(encoding="utf-8")) | {"build": terms}
    file.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")


def test_the_citys_terms_hold_for_the_group_unless_a_declaration_says_more(scratch, tmp_path):
    feeds = [
        declared("h1", group="response"),
        declared("h2", group="response", arrival={"due_days": 3}),
    ]
    where = given.config(tmp_path / "config", feeds)
    with (where / "city.yml").open("a", encoding="utf-8") as file:
        file.write(
            "arrivals: {'*': {due_days: 0, due_time: '00:00', grace_minutes: 1}, response: {mandatory: false}}\n"
        )
    city = scratch(where)
    sync(city)
    on = datetime.now(city.zone).date() - timedelta(days=1)
    assert states(city, on) == {"h1": "missing", "h2": "expected"}
    assert not_in(deliveries(city, on, on)) == []


def test_what_came_without_being_declared_any_more_is_listed_and_a_replay_is_not_counted_twice(city, day):
    load_file("missing", "cases", put(city, "missing", date(2026, 10, 12)), date(2026, 10, 12), settings=city)
    (city.config / "feeds" / "missing.yml").unlink()
    sync(city)
    (one,) = [one for one in deliveries(city, date(2026, 10, 12), date(2026, 10, 12)) if one.feed_code == "missing"]
    assert (one.feed_code, one.state, one.due_at, one.is_mandatory) == ("missing", "loaded", None, False)


def test_the_command_tells_what_is_not_in(city, day):
    env = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    env = {f"MINHU_{name}": str(value) for name, value in env.items()}
    told = CliRunner().invoke(minhu, ["deliveries", "list"], env=env)
    assert told.exit_code == 0 and all(word in told.output for word in ("未送达", "迟到", "未到期")), told.output
    asked = ["deliveries", "waive", "missing", "--from", str(day), "--to", str(day), "--reason", "停机"]
    assert "holds for" in CliRunner().invoke(minhu, asked, env=env).output
    told = CliRunner().invoke(minhu, ["deliveries", "list", "--state", "waived", "--json"], env=env)
    assert '"state": "waived"' in told.output and "停机" in told.output
    assert CliRunner().invoke(minhu, ["deliveries", "unwaive", "1", "--reason", "x"], env=env).exit_code == 0
    assert "revoked" in CliRunner().invoke(minhu, ["deliveries", "waivers"], env=env).output


def test_learned_arrival_times_propose_a_deadline_and_change_nothing(city, day):
    """Twenty days: nineteen came by 07:50 of the next day, one at 09:10; what was loaded weeks later tells nothing."""
    with database.connect(city) as connection:
        for back in range(1, 22):
            on = day - timedelta(days=back)
            at = datetime.combine(on + timedelta(days=1), time(9, 10) if back == 7 else time(7, 50), city.zone)
            late = at + timedelta(days=30) if back == 21 else at
            connection.execute(
                "insert into audit.batch (feed_code, delivery, kind, business_date, source_name, source_sha256,"
                " source_bytes, received_rows, status, order_key, started_at, loaded_at)"
                " values ('missing', 'cases', 'case', %s, 'x', %s, 1, 0, 'loaded', 1, %s, %s)",
                [on, f"{back}", late, late],
            )
    (habit,) = habits(city, day)
    assert (habit.days, habit.late_pct, habit.is_to_change) == (20, 100.0, True)
    told = habit.summary()
    assert (told["declared"], told["proposed"], told["latest"]) == ("+0 00:00", "+1 08:00", "+1 09:10")
    assert habit.grace_minutes == 75
    env = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    said = CliRunner().invoke(
        minhu, ["feeds", "doctor"], env={f"MINHU_{name}": str(value) for name, value in env.items()}
    )
    assert said.exit_code == 0 and "+1 08:00" in said.output
