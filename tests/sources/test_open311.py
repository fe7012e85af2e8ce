"""Open311 servers: windows, pages, halves, services."""

import json
from datetime import datetime, timedelta

import pytest

from minhu.errors import BadDelivery, Refused
from minhu.feeds.sources import Open311
from minhu.feeds.sources.open311 import discover
from tests.sources.web import Answer

START = datetime.fromisoformat("2026-06-01T00:00:00+08:00")
REQUESTS = [
    {"service_request_id": str(number), "requested_datetime": (START + timedelta(hours=17 * number)).isoformat()}
    for number in range(200)
]


def source(web, **changes) -> dict:
    return {"type": "open311", "endpoint": f"{web.url}/v2", "jurisdiction": "city", "attempts": 1} | changes


def server(asked):
    """Half-open windows, 1000 requests at most unless pages are asked for."""
    start, end = (datetime.fromisoformat(asked.params[name]) for name in ("start_date", "end_date"))
    assert end - start <= timedelta(90), "the standard's longest window"
    found = [row for row in REQUESTS if start <= datetime.fromisoformat(row["requested_datetime"]) < end]
    if "page" in asked.params:
        size = int(asked.params["page_size"])
        found = found[(int(asked.params["page"]) - 1) * size :][:size]
    return Answer(found[:20] if "page" not in asked.params else found)


def ids(fetched) -> list[str]:
    return [row["service_request_id"] for row in json.loads(fetched.path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("how", [{"paged": True, "page_size": 30}, {"most": 20}], ids=["pages", "halves"])
def test_every_request_of_the_windows_comes(web, pull, how):
    web.answer = server
    [fetched] = pull(source(web, lookback_days=133, **how))
    until = "2026-10-13T00:00:00+08:00"  # the end of the business date
    assert ids(fetched) == [row["service_request_id"] for row in REQUESTS if row["requested_datetime"] < until]
    assert 180 < len(ids(fetched)) < 200
    first = web.asked[0]
    assert (first.path, first.params["jurisdiction_id"]) == ("/v2/requests.json", "city")
    assert first.params["start_date"] == "2026-05-31T16:00:00Z", "midnight of the feed's zone"


def test_one_day_is_one_window(web, pull):
    web.answer = server
    pull(source(web, lookback_days=0, service_codes=["001", "002"]))
    [asked] = web.asked
    assert (asked.params["start_date"], asked.params["end_date"]) == ("2026-10-11T16:00:00Z", "2026-10-12T16:00:00Z")
    assert asked.params["service_code"] == "001,002"


def test_a_server_that_gives_the_same_page_for_ever_is_refused(web, pull):
    web.answer = [Answer(REQUESTS[:5])]
    with pytest.raises(BadDelivery, match="came twice"):
        pull(source(web, paged=True))
    with pytest.raises(BadDelivery, match="more than the server gives at once"):
        pull(source(web, most=5))


def test_requests_and_services_in_xml(web, pull):
    row = "<request><service_request_id>1</service_request_id><description>路灯</description></request>"
    web.answer = [Answer(f"<service_requests>{row}</service_requests>", type="text/xml")]
    [fetched] = pull(source(web, format="xml", lookback_days=0))
    assert "路灯" in fetched.path.read_text(encoding="utf-8")
    service = "<service><service_code>001</service_code><service_name>Lamp</service_name></service>"
    web.answer = [Answer(f"<services>{service}</services>", type="text/xml")]
    declared = Open311.model_validate(source(web, format="xml"))
    assert discover(declared) == [{"service_code": "001", "service_name": "Lamp"}]


def test_services_in_json(web):
    web.answer = [Answer([{"service_code": "001"}])]
    assert discover(Open311.model_validate(source(web))) == [{"service_code": "001"}]
    assert web.asked[0].path == "/v2/services.json"
    web.answer = [Answer("", 403)]
    with pytest.raises(Refused):
        discover(Open311.model_validate(source(web)))
