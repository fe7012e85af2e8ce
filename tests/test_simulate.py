"""The simulated city: the same seed gives the same bytes, files hold what the account says, and lives make sense."""

import csv
import hashlib
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import pytest
from lxml import etree

from minhu.errors import BadDeclaration, Refused
from minhu.feeds import Delivery, Feed, load_feeds
from minhu.feeds.canonical import EVENT_TYPES
from minhu.feeds.door import Door
from minhu.feeds.formats.read import read
from minhu.settings import PROJECT_ROOT
from minhu.simulate import FileAccount, SimulationSummary, write_city
from minhu.simulate.invert import to_source
from minhu.simulate.rows import rows_of
from minhu.simulate.run import imagine
from minhu.simulate.stream import TRANSFERRED
from minhu.simulate.truth import Truth
from minhu.simulate.worktime import DAY, WorkClock, day_number

CONFIG = PROJECT_ROOT / "config"
FEEDS = {feed.code: feed for feed in load_feeds(CONFIG)}
KEY = bytes(range(32))


def simulate(out: Path, *, start=date(2026, 10, 8), days=1, per_day=160, seed=1, bundle=False, feeds=None):
    out.mkdir(parents=True, exist_ok=True)
    return write_city(feeds or tuple(FEEDS.values()), CONFIG, out, start, days, per_day, seed, bundle=bundle)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> tuple[Path, SimulationSummary]:
    out = tmp_path_factory.mktemp("bundle")
    return out, simulate(out, start=date(2026, 10, 1), days=12, per_day=500, seed=5, bundle=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, SimulationSummary]:
    out = tmp_path_factory.mktemp("small")
    return out, simulate(out)


@pytest.fixture(scope="module")
def truth() -> Truth:
    """A month with the National Day holiday and its make-up workday."""
    return imagine(tuple(FEEDS.values()), CONFIG, date(2026, 10, 1), 31, 970, 2026)


def digests(out: Path) -> dict[str, str]:
    files = [path for path in out.rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def delivery_of(file: FileAccount) -> tuple[Feed, Delivery]:
    return FEEDS[file.feed], FEEDS[file.feed].delivery(file.delivery)


def count_rows(path: Path, delivery: Delivery) -> int:
    """Records of a file, counted without the project's own readers."""
    if path.suffix == ".csv":
        encoding = {"utf-8-sig": "utf-8-sig", "gb18030": "gb18030"}.get(delivery.format.encoding, "utf-8")
        with path.open(encoding=encoding, newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1
    if path.suffix == ".json":
        records = json.loads(path.read_bytes())
        for key in delivery.format.records.split("."):
            records = records[key]
        return len(records)
    if path.suffix == ".xml":
        return len(etree.parse(path).getroot())
    return fastexcel.read_excel(path).load_sheet(0, header_row=None).height - 1


def told_by(truth: Truth, code: str, kind: str) -> pl.DataFrame:
    return rows_of(truth, FEEDS[code], next(one for one in FEEDS[code].deliveries if one.kind == kind))


def sent_by(truth: Truth, code: str) -> pl.DataFrame:
    """The events of a feed as its files hold them, in the sender's columns and words."""
    return to_source(told_by(truth, code, "event"), FEEDS[code], FEEDS[code].delivery("events"))


def events(truth: Truth, *types: str) -> pl.DataFrame:
    return truth.routed.filter(pl.col("type").is_in(numbers(*types)))


def numbers(*types: str) -> list[int]:
    return [EVENT_TYPES.index(name) for name in types]


def moves(truth: Truth) -> pl.DataFrame:
    """What gives a case to a lead or takes it back, with type and unit of the one before and the unit before that."""
    told = events(truth, "DISPATCH", "REDISPATCH", "REWORK", "RETURN_GRANT").sort("case", "at", "order")
    shifted = {"before": pl.col("type").shift(1), "had": pl.col("unit").shift(1), "first": pl.col("unit").shift(2)}
    return told.with_columns(column.over("case").alias(name) for name, column in shifted.items())


def unreturned(truth: Truth, *types: str) -> pl.DataFrame:
    """Dispatches of what a unit has already, without a return before."""
    again = moves(truth).filter(pl.col("type").is_in(numbers(*types)) & pl.col("before").is_not_null())
    return again.filter(~pl.col("before").is_in(numbers("RETURN_GRANT")))


def with_limit(truth: Truth, *types: str) -> pl.DataFrame:
    """Events of a unit whose ticket held a limit, with when that was given and the limit; of what it was given once."""
    given = events(truth, "DISPATCH", "REDISPATCH").filter(pl.len().over("case", "unit") == 1)
    limits = given.filter(pl.col("due") >= 0).select("case", "unit", given="at", limit="due")
    return events(truth, *types).join(limits, on=["case", "unit"])


# -- files ----------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(small, tmp_path):
    simulate(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(small[0])


def test_another_seed_gives_other_files(small, tmp_path):
    simulate(tmp_path / "other", seed=2)
    mine, other = digests(small[0]), digests(tmp_path / "other")
    assert mine.keys() == other.keys()
    assert sum(mine[name] != other[name] for name in mine) > 0.8 * len(mine)  # an empty file is as empty with any seed


def test_every_delivery_sends_its_file_and_nothing_else_is_written(small):
    out, summary = small
    expected = {
        delivery.source.path.replace("{date}", "20261008") for feed in FEEDS.values() for delivery in feed.deliveries
    }
    assert digests(out).keys() == expected | {"simulation.json"}
    assert sorted(file.path for file in summary.files) == sorted(expected)


def test_without_a_bundle_every_day_has_its_file(tmp_path):
    summary = simulate(tmp_path, days=3, feeds=(FEEDS["h12345"], FEEDS["resp_linan_town"]))
    assert sorted(file.path for file in summary.files) == [
        f"{name}_202610{day}.csv"
        for name in ("h12345/callbacks", "h12345/cases", "h12345/events", "resp_linan_town/events")
        for day in ("08", "09", "10")
    ]
    cases = read(tmp_path / "h12345/cases_20261009.csv", FEEDS["h12345"].delivery("cases").format)
    assert cases["受理时间"].str.contains("2026-(10-09|02-30)").all()


def test_every_hotline_has_a_case_on_every_day(small):
    cases = [file for file in small[1].files if file.kind == "case"]
    assert len(cases) == 75
    assert all(file.rows - file.bad_rows - file.duplicate_rows >= 1 for file in cases)


def test_a_bundle_holds_the_days_before_the_last(bundle):
    summary = bundle[1]
    assert {file.business_date for file in summary.files} == {"2026-10-11", "2026-10-12"}
    assert len(summary.files) == 2 * 119
    rows = {
        date: sum(f.rows for f in summary.files if f.business_date == date) for date in ("2026-10-11", "2026-10-12")
    }
    assert rows["2026-10-11"] > 5 * rows["2026-10-12"] > 0


def test_the_account_agrees_with_an_independent_count(bundle):
    out, summary = bundle
    told = json.loads((out / "simulation.json").read_text(encoding="utf-8"))
    assert told["seed"] == 5 and len(told["files"]) == len(summary.files)
    for file in summary.files:
        assert count_rows(out / file.path, delivery_of(file)[1]) == file.rows, file.path


def test_the_door_finds_exactly_the_planted_bad_rows_and_duplicates(bundle):
    out, summary = bundle
    for file in summary.files:
        if file.business_date != "2026-10-11":
            continue
        feed, delivery = delivery_of(file)
        door = Door(feed, delivery, (KEY,))
        judged = door.judge(read(out / file.path, delivery.format))
        found = (judged.received, judged.rejected.height, judged.duplicates)
        assert found == (file.rows, file.bad_rows, file.duplicate_rows), file.path
        unknown = [note for note in door.close().notes if note["code"] in ("UNKNOWN_CODE", "BAD_NUMBER", "NEW_COLUMN")]
        assert not unknown, f"{file.path}: {unknown}"


def test_bad_rows_and_duplicates_exist_but_never_refuse_a_file(bundle):
    summary = bundle[1]
    assert sum(file.bad_rows for file in summary.files) >= 3
    assert sum(file.duplicate_rows for file in summary.files) >= 3
    for file in summary.files:
        assert file.bad_rows == 0 or file.rows >= 200
        assert 100 * file.bad_rows <= delivery_of(file)[1].max_rejected_pct * file.rows


def test_a_changed_line_is_sent_again_after_the_first(bundle):
    feed = FEEDS["h12319"]
    file = next(f for f in bundle[1].files if f.feed == "h12319" and f.business_date == "2026-10-11")
    rows = read(bundle[0] / file.path, feed.delivery("cases").format).with_row_index()
    versions = rows.filter(pl.col("工单编号").is_duplicated() & (pl.col("工单状态") == "办结"))
    assert versions.height >= 3
    first = rows.join(versions.select("工单编号", closed="index"), on="工单编号").filter(pl.col("工单状态") != "办结")
    assert (first["index"] < first["closed"]).all()


def test_real_files_traps_are_there(bundle):
    out = bundle[0]
    text = (out / "h12345/cases_20261011.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    cells = [cell for row in rows[1:] for cell in row]
    assert "NULL" in cells and " " in cells and "" in cells
    phones = [row[rows[0].index("来电号码")] for row in rows[1:]]
    assert any(not phone.isascii() for phone in phones)
    assert any(row[rows[0].index("经度")] in ("119.0", "120.0") for row in rows[1:])
    mixed = (out / "people_board/cases_20261011.json").read_text(encoding="utf-8")
    assert isinstance(json.loads(mixed)["data"]["items"][0]["createTime"], int)


def test_texts_hold_numbers_to_mask_and_hotlines_to_leave(bundle):
    out = bundle[0]
    content = read(out / "h12345/cases_20261011.csv", FEEDS["h12345"].delivery("cases").format)["诉求内容"]
    assert content.str.contains(r"1[3-9]\d000\d{5}").any()
    assert content.str.contains(r"330199(19|20)\d{9}[0-9X]").any()
    assert content.str.contains("12345").any()
    assert content.n_unique() > 0.95 * len(content)


def test_a_few_events_arrive_before_their_case_and_few_units_are_unknown(truth):
    first_line = told_by(truth, "h12345", "case").group_by("case_no").agg(pl.col("__day").min())
    told = told_by(truth, "h12345", "event").group_by("case_no").agg(pl.col("__day").min().alias("told"))
    early = told.join(first_line, on="case_no").filter(pl.col("told") < pl.col("__day"))
    assert 1 <= early.height < 0.005 * told.height
    lines = (CONFIG / "units.csv").read_text(encoding="utf-8").splitlines()
    register = {name for row in csv.DictReader(lines) for name in _names(row)}
    named = told_by(truth, "resp_linan_town", "event")["unit_name"]
    unknown = sum(name not in register for name in named)
    assert 0 < unknown < 0.01 * len(named)
    assert any("-T" in name for name in named)


def _names(row: dict[str, str]) -> list[str]:
    return [row["unit_code"], row["unit_name"], *row["aliases"].split(";")]


# -- lives ----------------------------------------------------------------------------------------------------------


def test_a_month_gives_every_first_level_unit_enough_to_be_scored(truth):
    opened = events(truth, "DISPATCH", "REDISPATCH", "REWORK").group_by("unit").len()
    count = dict(opened.iter_rows())
    units = truth.city.units
    linan = [at for at, group in enumerate(units.peer_group) if group in ("linan_department", "linan_town")]
    assert len(linan) == 41
    assert min(count.get(at, 0) for at in linan) >= 40
    assert 0.35 < (truth.cases.feed == truth.senders.busiest).mean() < 0.45


def test_nothing_is_closed_before_it_is_dispatched(truth):
    dispatched = events(truth, "DISPATCH").group_by("case").agg(pl.col("at").min().alias("opened"))
    later = events(truth, "SIGN", "FIRST_CONTACT", "REPLY", "CLOSE", "REWORK", "RETURN_REQUEST").join(
        dispatched, on="case"
    )
    assert (later["at"] > later["opened"]).all()


def test_a_unit_signs_before_it_replies_and_closes(truth):
    first = np.where(truth.cases.upstream >= 0, truth.cases.upstream, np.arange(len(truth.cases)))
    matter = pl.col("case").replace_strict(np.arange(len(first)), first)
    signed = events(truth, "SIGN").group_by(matter, "unit").agg(pl.col("at").min().alias("signed"))
    later = events(truth, "FIRST_CONTACT", "REPLY", "CLOSE").filter(pl.col("unit") >= 0)
    joined = later.with_columns(matter).join(signed, on=["case", "unit"], how="left")
    assert joined["signed"].is_not_null().all()
    assert (joined["at"] >= joined["signed"]).all()


def test_a_granted_return_is_followed_by_a_redispatch_to_another_unit(truth):
    moved = moves(truth).filter(pl.col("before").is_in(numbers("RETURN_GRANT")))
    assert moved.height > 100
    assert moved["type"].is_in(numbers("REDISPATCH")).all()
    assert (moved["unit"] != moved["had"]).all()


def test_a_return_is_decided_after_it_is_asked_and_never_after_a_designation(truth):
    asked = events(truth, "RETURN_REQUEST").group_by("case").agg(pl.col("at").min().alias("asked"), pl.len())
    assert (asked["len"] == 1).all()
    decided = events(truth, "RETURN_GRANT", "RETURN_DENY", "DESIGNATE").join(asked, on="case", how="left")
    assert (decided["at"] > decided["asked"]).all()


def test_a_unit_that_was_denied_closes_after_the_decision(truth):
    denied = events(truth, "RETURN_DENY").select("case", "unit", denied="at")
    closed = events(truth, "CLOSE").join(denied, on=["case", "unit"])
    assert closed.height > 50
    assert (closed["at"] > closed["denied"]).all()


def test_an_extension_is_asked_before_the_limit_and_moves_it(truth):
    granted = with_limit(truth, "EXTEND_GRANT").join(events(truth, "REWORK"), on="case", how="anti")
    asked = events(truth, "EXTEND_REQUEST").select("case", "unit", asked="at")
    joined = granted.join(asked, on=["case", "unit"])
    assert joined.height > 50
    assert (joined["asked"] < joined["limit"]).all()
    assert (joined["due"] > joined["limit"]).all()


def test_second_level_units_close_nothing_at_night_or_on_a_holiday(truth):
    closed = events(truth, "CLOSE").filter(pl.col("unit") >= 0)
    has_duty = truth.city.units.has_duty[closed["unit"].to_numpy()]
    at = closed["at"].to_numpy()
    office, day = at[~has_duty], at // DAY - truth.city.clock.first
    assert len(office) > 500
    assert truth.city.clock.is_workday[day[~has_duty]].all()
    assert ((office % DAY >= 9 * 3600) & (office % DAY <= 17.5 * 3600)).all()
    assert not truth.city.clock.is_workday[day[has_duty]].all()


def test_units_differ_in_how_they_keep_their_limits(truth):
    once = events(truth, "DISPATCH", "REDISPATCH").filter(pl.len().over("case") == 1)
    opened = once.filter(pl.col("due") >= 0).select("case", "unit", "due")
    closed = events(truth, "CLOSE").group_by("case", "unit").agg(pl.col("at").min().alias("closed"))
    extended = events(truth, "EXTEND_GRANT").select("case", "unit", extended="due")
    judged = (
        opened.filter(pl.col("due") < (truth.last_day + 1) * DAY)
        .join(closed, on=["case", "unit"], how="left")
        .join(extended, on=["case", "unit"], how="left")
        .with_columns(on_time=(pl.col("closed") <= pl.max_horizontal("due", "extended")).fill_null(False))
    )
    per_unit = judged.group_by("unit").agg(pl.col("on_time").mean(), pl.len()).filter(pl.col("len") >= 20)["on_time"]
    assert 0.9 < judged["on_time"].mean() < 0.98
    assert per_unit.max() == 1.0
    assert per_unit.min() < 0.92


def test_a_merged_case_names_an_earlier_one_of_the_same_hotline_and_goes_to_nobody(truth):
    merged = events(truth, "MERGE")
    case = merged["case"].to_numpy()
    target = truth.cases.repeat_of[case]
    assert len(case) > 50
    assert merged["result"].to_list() == truth.cases.number[target].tolist()
    assert (truth.cases.feed[target] == truth.cases.feed[case]).all()
    assert (truth.cases.caller[target] == truth.cases.caller[case]).all()
    assert not set(case) & set(events(truth, "DISPATCH")["case"])


def test_a_transfer_is_told_by_both_hotlines(truth):
    upstream = truth.cases.upstream
    receiving = np.flatnonzero((upstream >= 0) & (truth.cases.accept_mode[upstream] == TRANSFERRED))
    sending = upstream[receiving]
    assert len(receiving) > 100
    assert (truth.cases.feed[receiving] != truth.cases.feed[sending]).all()
    assert (truth.cases.received[receiving] > truth.cases.received[sending]).all()
    codes = [sender.feed.code for sender in truth.senders.senders]
    feed = FEEDS[codes[truth.cases.feed[sending[0]]]]
    line = told_by(truth, feed.code, "case").filter(pl.col("case_no") == truth.cases.number[sending[0]])
    assert line["status"].to_list()[0] == line["accept_mode"].to_list()[0] == "transferred"


def test_rework_opens_a_further_round_and_is_called_back_again(truth):
    rounds = truth.callbacks.round
    assert (rounds == 1).sum() > 1000 > (rounds == 2).sum() > 20
    closed = events(truth, "CLOSE").group_by("case", "unit").agg(pl.col("at").min().alias("closed"))
    again = events(truth, "REWORK").join(closed, on=["case", "unit"], how="left")
    assert (again["at"] > again["closed"]).all()


def test_callbacks_speak_of_what_was_closed(truth):
    closed = events(truth, "CLOSE").group_by("case").agg(pl.col("at").min().alias("closed"))
    called = pl.DataFrame({"case": truth.callbacks.case, "at": truth.callbacks.at})
    joined = called.join(closed, on="case", how="left")
    assert (joined["at"] >= joined["closed"]).all()
    assert (joined["at"] == joined["closed"]).sum() > 20
    unreached = ~truth.callbacks.is_reached
    assert (truth.callbacks.mood[unreached] == -1).all()


def test_somebody_calls_dozens_of_times_in_a_day(truth):
    calls = pl.DataFrame({"caller": truth.cases.caller, "day": truth.cases.received // DAY})
    assert calls.group_by("caller", "day").len()["len"].max() >= 24


def test_violations_are_rare_and_named(truth):
    found = events(truth, "VIOLATION")
    assert 5 <= found.height < 0.005 * len(truth.cases)
    assert set(found["reason"]) <= {"not_handled", "late_handling", "improper_handling"}


def test_everything_that_happens_to_a_dispatched_case_is_told_by_some_feed(truth):
    told = truth.routed.filter(pl.col("carrier") >= 0)["type"].n_unique()
    silent = truth.routed.filter(pl.col("way") == 0)
    assert told > 25
    assert {EVENT_TYPES[number] for number in silent["type"].unique()} <= {"ACCEPT", "DIRECT", "REJECT_INTAKE"}


# -- what offices send that no rule asks for ------------------------------------------------------------------------


def test_a_month_is_lived_the_same_again(truth):
    again = imagine(tuple(FEEDS.values()), CONFIG, date(2026, 10, 1), 31, 970, 2026)
    assert again.events.equals(truth.events)


def test_a_few_cases_are_handed_over_without_a_return_and_some_go_back(truth):
    moved = unreturned(truth, "REDISPATCH")
    assert 0.01 < moved.height / events(truth, "DISPATCH")["case"].n_unique() < 0.04
    assert (moved["unit"] != moved["had"]).all()
    assert moved.filter(pl.col("unit") == pl.col("first")).height > 20
    relieved = moved.join(events(truth, "SIGN"), left_on=["case", "had"], right_on=["case", "unit"], how="anti")
    assert 20 < relieved.height < moved.height - 20
    last = events(truth, "DISPATCH", "REDISPATCH").group_by("case").agg(holder=pl.col("unit").last())
    closed = events(truth, "CLOSE").filter(pl.col("role") == "lead").join(moved.select("case").unique(), on="case")
    assert (closed.join(last, on="case").select(pl.col("unit") == pl.col("holder")).to_series()).all()


def test_a_hand_over_without_a_return_may_be_late(truth):
    given = events(truth, "DISPATCH").filter(pl.col("due") >= 0).select("case", had="unit", limit="due")
    moved = unreturned(truth, "REDISPATCH").join(given, on=["case", "had"])
    assert 10 < moved.filter(pl.col("at") > pl.col("limit")).height < moved.height / 4


def test_a_second_dispatch_hands_over_or_goes_to_the_unit_that_has_the_case(truth):
    again = unreturned(truth, "DISPATCH")
    assert again.filter(pl.col("unit") != pl.col("had")).height > 10
    same = again.filter(pl.col("unit") == pl.col("had"))
    assert 100 < same.height < 0.02 * events(truth, "DISPATCH").height
    closed = events(truth, "CLOSE").select("case", "unit", closed="at")
    first = same.join(closed, on=["case", "unit"]).group_by("case", "at").agg(pl.col("closed").min())
    assert (first["closed"] > first["at"]).all()


def test_two_hotlines_dispatch_one_matter_to_one_unit_that_closes_it_once(truth):
    upstream = truth.cases.upstream
    links = pl.DataFrame({"second": np.arange(len(upstream)), "first": upstream}).filter(pl.col("first") >= 0)
    given = moves(truth).filter(~pl.col("type").is_in(numbers("REWORK")))
    first = given.group_by("case").agg(unit=pl.col("unit").last(), at=pl.col("at").last())
    second = events(truth, "DISPATCH").group_by("case").agg(pl.col("unit", "at").first())
    both = links.join(first, left_on="first", right_on="case").join(second, left_on="second", right_on="case")
    assert 30 < both.height < 0.25 * links.height
    assert (both["unit"] == both["unit_right"]).mean() > 0.9  # of the others a unit returned it, or it was moved
    assert 0 < (both["at_right"] - both["at"]).median() < 3600
    closed = events(truth, "CLOSE").filter(pl.col("unit") >= 0)["case"].to_list()
    reworked = events(truth, "REWORK")["case"].to_list()
    for one, other in both.select("first", "second").iter_rows():
        assert sum(map(closed.count, (one, other))) <= 1 + sum(map(reworked.count, (one, other)))
    assert set(both["first"]) & set(closed) and set(both["second"]) & set(closed)


def test_grants_come_without_a_request_and_some_extensions_after_the_limit(truth):
    for asked, granted in (("EXTEND_REQUEST", "EXTEND_GRANT"), ("RETURN_REQUEST", "RETURN_GRANT")):
        alone = events(truth, granted).join(events(truth, asked), on=["case", "unit"], how="anti")
        assert 10 < alone.height < 0.15 * events(truth, granted).height, granted
    told = with_limit(truth, "EXTEND_GRANT").join(events(truth, "EXTEND_REQUEST", "REWORK"), on="case", how="anti")
    assert 3 < told.filter(pl.col("at") > pl.col("limit")).height < told.height / 2


def test_returns_are_asked_for_in_the_window_after_it_and_after_the_limit(truth):
    asked = with_limit(truth, "RETURN_REQUEST")
    given, at, limit = (asked[name].to_numpy() for name in ("given", "at", "limit"))
    window = truth.city.clock.due(given, 2)
    in_time, late = ((at > window) & (at <= limit)).sum(), (at > limit).sum()
    assert in_time > 10 and late > 5
    assert (at <= window).sum() > 4 * (in_time + late)


def test_a_review_sends_back_minutes_before_the_rework_and_sometimes_after_the_limit(truth):
    back = events(truth, "REVIEW_BACK").select("case", "unit", sent_back="at")
    again = events(truth, "REWORK").join_asof(back, left_on="at", right_on="sent_back", by=["case", "unit"])
    minutes = (again["at"] - again["sent_back"]).drop_nulls() / 60
    assert minutes.min() >= 1 and 3 < minutes.median() < 30
    first = events(truth, "CLOSE", "REVIEW_BACK", "REWORK").filter(pl.int_range(pl.len()).over("case") == 1)
    sent_back = first.filter(pl.col("type").is_in(numbers("REVIEW_BACK"))).select("case", sent_back="at")
    after = with_limit(truth, "CLOSE").join(sent_back, on="case")  # the first close and what followed it
    slow = after.filter((pl.col("at") < pl.col("limit") - DAY) & (pl.col("sent_back") > pl.col("limit")))
    assert slow.height > 5


def test_a_rework_falls_into_the_minute_of_a_close(truth):
    """As the files hold them: of one hotline and of one response channel, which write no seconds."""
    reworks = {code: minutes_of(truth, code, "重办") for code in ("h12328", "h12345")}
    closes = {feed.code: minutes_of(truth, feed.code, "办结") for feed in FEEDS.values() if feed.role == "response"}
    assert {len(time) for _, time in reworks["h12328"] | closes["resp_district_town"]} == {len("2026-10-01 09:00")}
    assert {len(time) for _, time in reworks["h12345"]} == {len("2026-10-01 09:00:00")}
    cut = {(number, time[:16]) for told in closes.values() for number, time in told}
    assert [one for one in reworks["h12328"] if one in cut]
    assert [number for number, time in reworks["h12345"] if (number, time[:16]) in closes["resp_district_town"]]


def minutes_of(truth: Truth, code: str, word: str) -> set[tuple[str, str]]:
    """Case number and time of the events that a feed calls so."""
    told = sent_by(truth, code)
    kind = "环节" if "环节" in told.columns else "操作"
    return set(told.filter(pl.col(kind) == word).select("工单编号", "操作时间").iter_rows())


# -- renamed units --------------------------------------------------------------------------------------------------


def called(truth: Truth, channel: str, day: date, *names: str) -> tuple[int, int]:
    """How many rows of a response channel call a unit by these names before a day, and from then on."""
    told = told_by(truth, channel, "event").filter(pl.col("unit_name").is_in(names))
    days = told["occurred_at"] // DAY
    return (days < day_number(day)).sum(), (days >= day_number(day)).sum()


def test_the_register_renames_a_unit_and_its_senders_are_before_and_behind(truth):
    old = called(truth, "resp_linan_second_level", date(2026, 10, 16), "临安水务有限公司")
    new = called(truth, "resp_linan_second_level", date(2026, 10, 16), "临安水务集团有限公司", "临安水务集团")
    assert old[0] > old[1] > 0
    assert new[1] > 2 * new[0] > 0


def test_a_unit_that_another_carries_on_is_called_by_its_names(tmp_path):
    config = shutil.copytree(CONFIG, tmp_path / "config")
    lines = (CONFIG / "units.csv").read_text(encoding="utf-8").splitlines()
    ended, begun = "2020-01-01,2026-10-12", "2026-10-12,"
    [old] = [line for line in lines if line.startswith("330112-D16,")]
    new = f"330112-D91,临安质监局,department,1,linan_department,330112-G00,true,,质监新局,{begun}"
    lines = [line.replace("2020-01-01,", ended) if line == old else line for line in lines]
    (config / "units.csv").write_text("\n".join([*lines, new, ""]), encoding="utf-8")
    head = (CONFIG / "unit_succession.csv").read_text(encoding="utf-8").splitlines()[0]
    (config / "unit_succession.csv").write_text(f"{head}\n330112-D16,330112-D91,renamed,2026-10-12\n", encoding="utf-8")
    lived = imagine(tuple(FEEDS.values()), config, date(2026, 10, 1), 20, 400, 3)
    names = ("杭州市临安区市场监督管理局", "330112-D16"), ("临安质监局", "质监新局", "330112-D91")
    old_names, new_names = (called(lived, "resp_linan_department", date(2026, 10, 12), *said) for said in names)
    assert old_names[0] > old_names[1] > 0
    assert new_names[1] > 2 * new_names[0] > 0


# -- what a hotline's declaration says of its habits ----------------------------------------------------------------


def test_a_hotline_hands_over_and_exports_as_it_declares():
    said = {"another_lead": "replaces", "return_requests": "not_told", "extension_requests": "not_told"}
    feeds = tuple(feed.model_copy(update=said) if feed.role == "hotline" else feed for feed in FEEDS.values())
    lived = imagine(feeds, CONFIG, date(2026, 10, 1), 12, 400, 3)
    assert unreturned(lived, "REDISPATCH").is_empty()
    assert unreturned(lived, "DISPATCH").filter(pl.col("unit") != pl.col("had")).height > 20
    assert events(lived, "RETURN_REQUEST", "EXTEND_REQUEST").is_empty()
    assert events(lived, "RETURN_GRANT", "RETURN_DENY", "EXTEND_GRANT")["type"].n_unique() == 3


# -- time and edges -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clock(truth) -> WorkClock:
    return truth.city.clock


def moment(text: str) -> np.ndarray:
    return np.array([np.datetime64(text, "s").astype(np.int64)])


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-10-01T10:00:00", "2026-10-14T00:00:00"),
        ("2026-10-09T23:59:59", "2026-10-16T00:00:00"),
        ("2026-10-16T08:00:00", "2026-10-24T00:00:00"),
    ],
    ids=["a holiday is not counted", "a make-up Saturday is", "neither is a weekend nor the day itself"],
)
def test_five_working_days_end_at_24_00(clock, received, due):
    assert clock.due(moment(received), 5) == moment(due)


def test_office_hours_skip_lunch_nights_and_holidays(clock):
    assert clock.later(moment("2026-10-12T11:50:00"), np.array([1200])) == moment("2026-10-12T13:40:00")
    assert clock.later(moment("2026-09-30T17:20:00"), np.array([1200])) == moment("2026-10-08T09:10:00")
    assert clock.later(moment("2026-10-12T22:00:00"), np.array([0])) == moment("2026-10-13T09:00:00")


def test_worked_time_and_moments_are_inverse(clock):
    worked = np.arange(0, 30 * clock.per_day, 977) + clock.worked(moment("2026-03-01T00:00:00"))
    assert (clock.worked(clock.moment(worked)) == worked).all()


def test_a_city_with_one_feed_is_a_city(tmp_path):
    summary = simulate(tmp_path, feeds=(FEEDS["h12319"],), per_day=40)
    assert [file.path for file in summary.files] == ["h12319/cases_20261008.csv"]
    assert summary.files[0].rows >= 40


def test_progress_is_told_feed_by_feed(tmp_path):
    seen = []
    feeds = (FEEDS["h12319"], FEEDS["h12345"])
    write_city(feeds, CONFIG, tmp_path, date(2026, 10, 8), 1, 30, 1, progress=lambda *step: seen.append(step))
    assert seen == [("h12319", 1, 2), ("h12345", 2, 2)]


def test_a_calendar_that_ends_too_early_is_named(tmp_path):
    with pytest.raises(Refused, match=r"calendar\.csv does not cover 2027-12-01"):
        simulate(tmp_path, start=date(2027, 12, 1))


def test_a_city_without_registers_is_refused(tmp_path):
    (tmp_path / "city.yml").write_text("code: x\nname: X\n", encoding="utf-8")
    with pytest.raises(BadDeclaration, match=r"calendar\.csv"):
        write_city(tuple(FEEDS.values()), tmp_path, tmp_path, date(2026, 10, 8), 1, 30, 1)


def test_without_hotlines_there_is_nothing_to_simulate(tmp_path):
    with pytest.raises(Refused, match="no feed delivers cases"):
        simulate(tmp_path, feeds=(FEEDS["resp_linan_town"],))


def test_the_summary_sums_its_files(small):
    summary = small[1]
    assert summary.rows == sum(file.rows for file in summary.files)
    assert replace(summary, files=()).rows == 0


def test_days_are_numbered_from_1970():
    assert day_number(date(1970, 1, 2)) == 1


def test_a_hotline_tells_the_day_of_closing_only(bundle):
    """heat_supply: what comes out of the door is flagged, in the last second of its day."""
    out, summary = bundle
    file = next(f for f in summary.files if f.feed == "heat_supply" and f.business_date == "2026-10-11")
    feed, delivery = delivery_of(file)
    rows = read(out / file.path, delivery.format)
    assert rows["完成时间"].drop_nulls().str.contains(r"^(2026-10-\d\d|NULL)$").all()
    staged = Door(feed, delivery, (KEY,)).judge(rows).staged
    told = staged["milestones"].str.json_path_match("$[?(@.event_type=='CLOSE')].occurred_precision").drop_nulls()
    assert len(told) >= 1 and set(told) == {"day"}
