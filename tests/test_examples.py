"""The declarations under examples/ load files of three cities' shapes, with no code of their own."""

import csv
import json
from datetime import date

import pytest

from minhu import database
from minhu.load import load_file
from minhu.settings import PROJECT_ROOT
from minhu.warehouse.build import build

BOSTON = (
    "case_enquiry_id,open_dt,target_dt,closed_dt,ontime,case_status,closure_reason,case_title,subject,reason,type,queue,"
    "department,submittedphoto,closedphoto,location,fire_district,pwd_district,city_council_district,police_district,"
    "neighborhood,neighborhood_services_district,ward,precinct,location_street_name,location_zipcode,latitude,longitude,"
    "source"
).split(",")
# case, opened, target, closed: closed in time, closed late, open with a target, closed and open without one
CASES = [
    ("1", "2022-01-03 09:00:00", "2022-01-05 09:00:00", "2022-01-04 10:00:00"),
    ("2", "2022-01-03 09:00:00", "2022-01-05 09:00:00", "2022-01-05 09:00:01"),
    ("3", "2022-07-03 09:00:00", "2022-07-05 09:00:00", ""),
    ("4", "2022-01-03 09:00:00", "", "2022-01-03 08:59:31"),
    ("5", "2022-01-03 09:00:00", "", ""),
]
REQUEST = {
    "service_request_id": "7",
    "status": "closed",
    "service_name": "Pothole",
    "service_code": "A-1",
    "agency_responsible": "Roads",
    "requested_datetime": "2026-07-30T00:01:00-04:00",
    "updated_datetime": "2026-08-02T00:01:00-04:00",
    "expected_datetime": "2026-08-03T00:01:00-04:00",
    "lat": 43.69,
    "long": -79.27,
}


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    settings = scratch(PROJECT_ROOT / "examples")
    folder = tmp_path_factory.mktemp("files")
    with (folder / "boston.csv").open("w", encoding="ascii", newline="") as file:
        writer = csv.DictWriter(file, BOSTON, restval=" ")
        writer.writeheader()
        for number, opened, target, closed in CASES:
            times = {"case_enquiry_id": number, "open_dt": opened, "target_dt": target, "closed_dt": closed}
            writer.writerow(times | {"department": "PWDx", "type": "Needle Pickup", "ontime": "ONTIME"})
    open_request = {key: value for key, value in REQUEST.items() if key != "expected_datetime"}
    requests = [REQUEST, open_request | {"service_request_id": "8", "status": "open"}]
    (folder / "chicago.json").write_text(json.dumps(requests), encoding="utf-8")
    elements = "".join(
        "<request>" + "".join(f"<{key}>{value}</{key}>" for key, value in request.items()) + "<media_url/></request>"
        for request in requests
    )
    (folder / "toronto.xml").write_text(f"<service_requests>{elements}</service_requests>", encoding="utf-8")
    for feed, delivery, name in (
        ("boston311", "cases", "boston.csv"),
        ("chicago311", "requests", "chicago.json"),
        ("toronto311", "requests", "toronto.xml"),
    ):
        result = load_file(feed, delivery, folder / name, date(2026, 8, 3), settings=settings)
        assert (result.outcome, result.rejected, result.duplicates) == ("loaded", 0, 0)
    with database.connect(settings) as connection:
        connection.execute("update audit.batch set status = 'accepted'")
    build(settings)
    return settings


def facts(city, feed):
    with database.connect(city) as connection:
        return connection.execute(
            "select c.case_no, t.unit_name_raw, t.due_at is not null, t.closed_at is not null, t.is_closed_on_time"
            " from mart.fct_case as c join mart.fct_timeliness as t using (case_id) where c.feed_code = %s order by 1",
            [feed],
        ).fetchall()


def test_boston_milestones_become_assignments(city):
    assert facts(city, "boston311") == [
        ("1", "PWDx", True, True, True),
        ("2", "PWDx", True, True, False),
        ("3", "PWDx", True, False, None),
        ("4", "PWDx", False, True, None),
        ("5", "PWDx", False, False, None),
    ]


def test_times_are_read_in_the_feeds_own_zone(city):
    with database.connect(city) as connection:
        moments = connection.execute(
            "select to_char(received_at at time zone 'UTC', 'MM-DD HH24:MI') from mart.fct_case"
            " where feed_code = 'boston311' and case_no in ('1', '3') order by case_no"
        ).fetchall()
    assert moments == [("01-03 14:00",), ("07-03 13:00",)]  # winter and summer in Boston


@pytest.mark.parametrize("feed", ["chicago311", "toronto311"])
def test_open311_closes_with_the_last_update_of_a_closed_request(city, feed):
    assert facts(city, feed) == [("7", "Roads", True, True, True), ("8", "Roads", False, False, None)]
