"""The drop folder: links that lead out of it, files somebody still writes, dates written otherwise, days to come."""

from datetime import UTC, date, datetime, timedelta

import pytest

from minhu import database
from minhu.errors import BadDeclaration, BadDelivery, Refused
from minhu.feeds import read_feed
from minhu.feeds.sources.dated import date_in, dated
from minhu.load import load_delivery, load_feed_day, load_file
from tests import given

DAY = date(2026, 10, 12)


@pytest.fixture
def city(scratch, tmp_path):
    cases = given.CASES | {"source": {"type": "drop_folder", "path": "h1/cases_{date:%Y-%m-%d}*", "settle_seconds": 0}}
    feed = given.feed("h1", deliveries=[cases])
    return scratch(given.config(tmp_path / "config", [feed]))


def file(city, name: str, number: str = "1"):
    return given.case_file(city.drop / "h1" / name, [{"工单编号": number}])


def load(city):
    return [result.outcome for result in load_delivery("h1", "cases", DAY, settings=city)]


def attempts(city) -> list[tuple]:
    with database.connect(city) as connection:
        return connection.execute("select status, reason_code from audit.batch order by batch_id").fetchall()


def test_a_date_is_found_as_the_path_writes_it(city):
    file(city, "cases_2026-10-12.csv")
    file(city, "cases_20261012.csv", "2")
    assert load(city) == ["loaded"]
    assert load_file("h1", "cases", city.drop / "h1" / "cases_2026-10-12.csv", settings=city).business_date == DAY


def test_a_link_out_of_the_folder_is_refused_and_its_bytes_land_nowhere(city, tmp_path):
    secret = given.case_file(tmp_path / "secret.csv", [{"工单编号": "9"}])
    file(city, "cases_2026-10-12_a.csv")
    (city.drop / "h1" / "cases_2026-10-12_b.csv").symlink_to(secret)
    with pytest.raises(BadDelivery, match=r"cases_2026-10-12_b\.csv: a link that leads out .* put the file itself"):
        load(city)
    assert attempts(city) == [("loaded", None), ("refused", "LINK_ASTRAY")]
    assert not [path for path in city.landing.rglob("*") if path.is_file() and path.read_bytes() == secret.read_bytes()]


@pytest.mark.parametrize("to", ["cases_2026-10-12.csv", "nowhere.csv"])
def test_a_link_to_itself_or_nowhere_is_refused_in_a_line(city, to):
    (city.drop / "h1").mkdir(parents=True)
    (city.drop / "h1" / "cases_2026-10-12.csv").symlink_to(to)
    with pytest.raises(BadDelivery, match="or nowhere"):
        load(city)


def test_a_folder_that_is_a_link_leads_out_too(city, tmp_path):
    given.case_file(tmp_path / "elsewhere" / "cases_2026-10-12.csv", [{}])
    city.drop.mkdir(parents=True)
    (city.drop / "h1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadDelivery, match="leads out"):
        load(city)


def test_a_link_within_the_folder_is_a_file(city):
    file(city, "real.csv")
    (city.drop / "h1" / "cases_2026-10-12.csv").symlink_to("real.csv")
    assert load(city) == ["loaded"]


@pytest.mark.parametrize("name", ["{}.tmp", "{}.csv.filepart", "{}.csv.part", "{}.csv~", "{}.CRDOWNLOAD"])
def test_a_file_that_is_still_written_is_not_taken(city, name):
    file(city, name.format("cases_2026-10-12"))
    assert load(city) == ["nothing_delivered"]


def test_a_name_that_the_declaration_asks_for_is_taken(scratch, tmp_path):
    cases = given.CASES | {"source": {"type": "drop_folder", "path": "h1/{date}.tmp", "settle_seconds": 0}}
    city = scratch(given.config(tmp_path / "config", [given.feed("h1", deliveries=[cases])]))
    file(city, "20261012.tmp")
    assert load(city) == ["loaded"]


@pytest.mark.parametrize("path", ["h1/cases.csv", "h1/cases_{day}.csv", "h1/cases_{date"])
def test_a_path_without_a_date_is_refused(scratch, tmp_path, path):
    cases = given.CASES | {"source": {"type": "drop_folder", "path": path}}
    city = scratch(given.config(tmp_path / "config", [given.feed("h1", deliveries=[cases])]))
    with pytest.raises(BadDeclaration, match=r"must hold \{date\}"):
        read_feed(city, "h1")


@pytest.mark.parametrize(
    ("name", "pattern", "day"),
    [
        ("cases_20261012.csv", "cases_{date}.csv", DAY),
        ("cases_20261012_03.csv", "cases_{date}_*.csv", DAY),
        ("2026-10-12.csv", "{date:%Y-%m-%d}.csv", DAY),
        ("2026-10/12.csv", "{date:%Y-%m/%d}.csv", DAY),
        ("a2026b20261012.csv", "a{date:%Y}b{date}.csv", None),  # two dates that differ
        ("cases_20261312.csv", "cases_{date}.csv", None),
        ("other_20261012.csv", "cases_{date}.csv", None),
    ],
)
def test_a_name_tells_its_date(name, pattern, day):
    assert date_in(name, pattern) == day


def test_a_date_is_written_as_asked():
    assert dated("a/{date}/{date:%Y-%m-%d}?*", DAY) == "a/20261012/2026-10-12?*"


def test_a_day_that_has_not_begun_where_the_feed_is_is_refused(city):
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    path = file(city, "cases_2026-10-12.csv")
    with pytest.raises(Refused, match=r"h1: the business date 2099-01-01 lies in the future, for it is .* in Asia"):
        load_file("h1", "cases", path, date(2099, 1, 1), settings=city)
    with pytest.raises(Refused, match="lies in the future"):
        load_delivery("h1", "cases", tomorrow, settings=city)
    (told,) = load_feed_day(city, read_feed(city, "h1"), tomorrow)
    assert isinstance(told, Refused)
    assert attempts(city) == [] and not city.landing.exists()


def test_the_feeds_own_zone_decides_which_day_it_is(scratch, tmp_path):
    """Kiritimati is a day ahead of Pago Pago at any moment."""
    ahead = given.feed("h1", deliveries=[given.CASES]) | {"timezone": "Pacific/Kiritimati"}
    behind = given.feed("h2", deliveries=[given.CASES]) | {"timezone": "Pacific/Pago_Pago"}
    city = scratch(given.config(tmp_path / "config", [ahead, behind]))
    day = (datetime.now(UTC) + timedelta(hours=14)).date()
    path = given.case_file(tmp_path / "cases.csv", [{}])
    assert load_file("h1", "cases", path, settings=city).business_date == day
    with pytest.raises(Refused, match="lies in the future"):
        load_file("h2", "cases", path, day, settings=city)
