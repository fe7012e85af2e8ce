"""HTTP sources against a real server that misbehaves on purpose."""

import base64
import hashlib
import hmac
import json
import logging
import time

import pytest

from minhu import database
from minhu.errors import BadDelivery, Refused, Retryable, SourceAway
from minhu.load import load_delivery, replay
from tests import given
from tests.sources.conftest import DAY
from tests.sources.web import Answer

ROWS = [{"id": number, "updated_at": f"2026-10-12T08:0{number}:00+08:00"} for number in range(5)]
FAST = {"attempts": 3, "connect_seconds": 1, "read_seconds": 0.2}


def rest(web, **changes) -> dict:
    return {"type": "rest", "url": f"{web.url}/cases"} | FAST | changes


def ids(fetched) -> list[str]:
    return [row["id"] for row in json.loads(fetched.path.read_text(encoding="utf-8"))]


def paged(rows, size=2, **more):
    """A server with pages by ``page`` or ``offset``, as asked."""

    def answer(asked):
        start = int(asked.params.get("offset", (int(asked.params.get("page", 1)) - 1) * size))
        return Answer({"items": rows[start : start + size]} | more)

    return answer


def test_a_single_answer_is_one_file(web, pull):
    web.answer = [Answer({"data": {"items": ROWS, "count": "5"}})]
    [fetched] = pull(
        rest(
            web,
            url=f"{web.url}/cases/{{date}}",
            records="data.items",
            total="data.count",
            params={"day": "{date:%Y-%m-%d}"},
        )
    )
    assert ids(fetched) == ["0", "1", "2", "3", "4"]
    assert fetched.control_total == 5
    assert fetched.name == f"{web.url}/cases/20261012"
    assert web.asked[0].params == {"day": "2026-10-12"}


def test_numbers_keep_their_digits(web, pull):
    web.answer = [Answer('[{"x": 120.10, "n": 330100202610010001234567890}]')]
    assert json.loads(pull(rest(web))[0].path.read_text()) == [{"x": "120.10", "n": "330100202610010001234567890"}]


def test_no_records_are_no_file(web, pull):
    assert pull(rest(web)) == []


@pytest.mark.parametrize(
    ("pagination", "asked"),
    [
        pytest.param({"type": "page", "size_param": "size", "size": 2}, ["1", "2", "3", "4"], id="by page"),
        pytest.param({"type": "offset", "size": 50}, ["0", "2", "4", "5"], id="by offset, capped by the sender"),
    ],
)
def test_every_page_is_asked_for_until_an_empty_one(web, pull, pagination, asked):
    web.answer = paged(ROWS)
    [fetched] = pull(rest(web, records="items", pagination=pagination))
    assert ids(fetched) == ["0", "1", "2", "3", "4"]
    assert [one.params.get("page", one.params.get("offset")) for one in web.asked] == asked


def test_pages_by_cursor_and_by_link_header(web, pull):
    def answer(asked):
        at = int(asked.params.get("cursor", 0))
        token = str(at + 2) if at + 2 < 5 else None
        link = {"Link": f'<{web.url}/cases?cursor={token}>; rel="next"'} if token else {}
        return Answer({"items": ROWS[at : at + 2], "meta": {"next": token}}, headers=link)

    web.answer = answer
    by_token = pull(rest(web, records="items", pagination={"type": "cursor", "next": "meta.next"}))[0]
    assert ids(by_token) == ["0", "1", "2", "3", "4"]
    by_link = pull(rest(web, records="items", pagination={"type": "link_header"}))[0]
    assert ids(by_link) == ["0", "1", "2", "3", "4"]
    assert by_token.identity == by_link.identity


def test_pages_in_xml_are_one_file(web, pull):
    page = '<r xmlns="urn:x"><count>3</count><case><id>{}</id><at>{}</at></case><case><id>b{}</id></case></r>'
    web.answer = lambda asked: Answer(page.format(*[asked.params["page"]] * 3), type="text/xml; charset=utf-8")
    with pytest.raises(Refused, match="more than 3 pages"):
        pull(rest(web, format="xml", records="case", pagination={"type": "page"}, max_pages=3))
    web.answer = [Answer(page.format("路灯", 1, 1), type="text/xml")]
    first = pull(rest(web, format="xml", records="case", volatile=["at"]))[0]
    text = first.path.read_text(encoding="utf-8")
    assert "路灯" in text and text.count("<case") == 2 and text.count("<records>") == 1
    web.answer = [Answer(page.format("路灯", 2, 1), type="text/xml")]
    assert pull(rest(web, format="xml", records="case", volatile=["at"]))[0].identity == first.identity


def test_the_content_is_the_same_whatever_the_order_and_the_volatile_fields(web, pull):
    source = rest(web, volatile=["pulled_at"])
    web.answer = [Answer([{"id": 1, "a": 2, "pulled_at": 1}, {"id": 2}])]
    first = pull(source)[0]
    web.answer = [Answer([{"id": 2}, {"pulled_at": 9, "a": 2, "id": 1}])]
    assert pull(source)[0].identity == first.identity
    web.answer = [Answer([{"id": 2}, {"id": 1, "a": 3}])]
    assert pull(source)[0].identity != first.identity


@pytest.mark.parametrize(
    ("increment", "stored", "asked"),
    [
        ({}, "2026-10-12T08:00:00+08:00", "2026-10-12T08:00:00+08:00"),
        ({"lag_minutes": 10}, "2026-10-12T08:00:00+08:00", "2026-10-12T07:50:00+08:00"),
        ({"lag_minutes": 10}, "2026-10-12T00:00:00Z", "2026-10-11T23:50:00Z"),
        ({"lag_minutes": 10}, "2026-10-12 08:00:00", "2026-10-12 07:50:00"),
        ({"initial": "2026-01-01"}, None, "2026-01-01"),
        ({}, None, None),
    ],
)
def test_a_pull_goes_on_where_the_last_one_ended_less_the_lag(web, pull, increment, stored, asked):
    web.answer = [Answer(ROWS)]
    cursor = {"param": "since", "field": "updated_at"} | increment
    [fetched] = pull(rest(web, cursor=cursor), stored)
    assert web.asked[0].params.get("since") == asked
    assert fetched.cursor == "2026-10-12T08:04:00+08:00"


@pytest.mark.parametrize(
    ("increment", "stored", "asked", "ends"),
    [
        ({"format": "number", "lag": 3}, "9", "6", "10"),
        ({"format": "epoch_s", "lag_minutes": 1}, "100", "40", "100"),
        ({"format": "epoch_ms", "lag_minutes": 1}, "100000", "40000", "100000"),
        ({"format": "%Y%m%d%H%M", "lag_minutes": 1}, "202610120800", "202610120759", "202610120800"),
    ],
)
def test_numbers_and_epochs_are_compared_as_numbers(web, pull, increment, stored, asked, ends):
    web.answer = [Answer([{"n": 10}, {"n": 9}, {"n": None}] if increment["format"] == "number" else [{"id": 1}])]
    [fetched] = pull(rest(web, cursor={"param": "since", "field": "n"} | increment), stored)
    assert (web.asked[0].params["since"], fetched.cursor) == (asked, ends)


@pytest.mark.parametrize(
    ("written", "good", "slip"),
    [
        ("iso", "2026-10-13T09:00:00+08:00", "2099-01-01T00:00:00+08:00"),
        ("epoch_ms", "1791800000000", "4070908800000"),
    ],
)
def test_a_time_far_ahead_does_not_silence_the_feed(web, pull, written, good, slip):
    web.answer = [Answer([{"at": good}, {"at": slip}])]
    assert pull(rest(web, cursor={"param": "since", "field": "at", "format": written}))[0].cursor == good


def test_a_cursor_that_is_not_written_as_declared_is_refused(web, pull):
    web.answer = [Answer([{"at": "yesterday"}])]
    with pytest.raises(BadDelivery, match=r"not written as cursor\.format says"):
        pull(rest(web, cursor={"param": "since", "field": "at"}))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Answer("oops", 500), id="500"),
        pytest.param(Answer("oops", 503), id="503"),
        pytest.param(Answer(ROWS, stalls=0.5), id="a stall"),
        pytest.param(Answer(json.dumps(ROWS)[:40], claims=100), id="half a body"),
        pytest.param(Answer(json.dumps(ROWS)[:40]), id="half a body that says it is whole"),
    ],
)
def test_what_passes_is_asked_for_again(web, pull, waits, bad):
    web.answer = [bad, bad, Answer(ROWS)]
    assert len(ids(pull(rest(web))[0])) == 5
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2


@pytest.mark.parametrize(
    ("bad", "error", "told"),
    [
        pytest.param(Answer("", 502), Retryable, "answered 502, 3 times", id="502 for good"),
        pytest.param(Answer(ROWS, stalls=0.5), Retryable, "no answer in time", id="stalls for good"),
        pytest.param(Answer("[", claims=9), Retryable, "broke off", id="half bodies for good"),
        pytest.param(Answer("{'no json'"), BadDelivery, "not JSON", id="no JSON at all"),
        pytest.param(Answer({"error": "x"}), BadDelivery, "no array", id="no array where one is declared"),
        pytest.param(Answer("<html>", type="text/html"), BadDelivery, "answers text/html", id="a web page"),
        pytest.param(Answer("", 401), Refused, "declare `auth`", id="401"),
        pytest.param(Answer("", 404), Refused, "answered 404", id="404"),
        pytest.param(Answer("", 302, headers={"Location": "/x"}), Refused, "has moved", id="a redirect"),
        pytest.param(Answer("[" + " " * 3_000_000 + "]"), Refused, "more than 2 MB", id="a huge answer"),
    ],
)
def test_what_does_not_pass_says_what_to_do(web, pull, waits, bad, error, told):
    web.answer = [bad]
    with pytest.raises(error, match=told):
        pull(rest(web, max_response_mb=2))


def test_a_server_that_is_away_is_tried_again(web, pull, waits):
    with pytest.raises(Retryable, match="no connection, 3 times"):
        pull(rest(web, url="http://127.0.0.1:1/cases"))
    assert len(waits) == 2


def test_a_busy_server_is_left_in_peace_as_long_as_it_asks(web, pull, waits):
    web.answer = [Answer("", 429, headers={"Retry-After": "1"}), Answer(ROWS)]
    assert len(pull(rest(web))) == 1
    assert waits == [1.0]
    web.answer = [Answer("", 429, headers={"Retry-After": "9999"})]
    with pytest.raises(Retryable, match="left in peace for 9999 s"):
        pull(rest(web))


def test_a_repeated_page_is_refused(web, pull):
    web.answer = [Answer({"items": ROWS[:2]})]
    with pytest.raises(BadDelivery, match="came twice") as refusal:
        pull(rest(web, records="items", pagination={"type": "page"}))
    assert refusal.value.code == "REPEATED_PAGE"
    web.answer = lambda asked: Answer({"items": [{"id": len(web.asked)}], "next": "same"})
    with pytest.raises(BadDelivery, match="next page one that came before"):
        pull(rest(web, records="items", pagination={"type": "cursor", "next": "next"}))


def test_a_missing_page_is_refused(web, pull):
    web.answer = lambda asked: Answer({"items": ROWS[:2] if asked.params["page"] == "1" else [], "total": 5})
    with pytest.raises(BadDelivery, match="counts 5 rows, 2 came") as refusal:
        pull(rest(web, records="items", total="total", pagination={"type": "page"}))
    assert refusal.value.code == "MISSING_PAGE"


def test_the_count_ends_the_pull(web, pull):
    web.answer = paged(ROWS, total=5)
    assert pull(rest(web, records="items", total="total", pagination={"type": "page"}))[0].control_total == 5
    assert len(web.asked) == 3


SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer"}, "authorization", f"Bearer {SECRET}"),
        ({"type": "basic", "user": "u"}, "authorization", "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()),
        ({"type": "api_key", "header": "X-Token"}, "x-token", SECRET),
    ],
)
def test_the_secret_travels_in_its_header(web, pull, monkeypatch, auth, header, value):
    monkeypatch.setenv("MINHU_SECRET_H1", SECRET)
    web.answer = [Answer(ROWS)]
    pull(rest(web, auth=auth | {"secret": "h1"}))
    assert web.asked[0].headers[header] == value


def test_a_signed_request_can_be_verified(web, pull, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_H1", "http://user:s3cr3t-value@host")
    web.answer = [Answer(ROWS)]
    pull(rest(web, method="POST", params={"单位": "城管"}, auth={"type": "hmac", "secret": "h1", "key_id": "k1"}))
    [asked] = web.asked
    assert json.loads(asked.body) == {"单位": "城管"} and asked.headers["x-key-id"] == "k1"
    body = hashlib.sha256(asked.body).hexdigest()
    text = "\n".join(["POST", asked.raw_path, asked.headers["x-timestamp"], body])
    assert asked.headers["x-signature"] == hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()


def test_a_secret_shows_nowhere(web, pull, waits, monkeypatch, caplog):
    monkeypatch.setenv("MINHU_SECRET_H1", SECRET)
    caplog.set_level(logging.DEBUG)
    source = rest(web, auth={"type": "api_key", "secret": "h1", "param": "key"})
    web.answer = [Answer(ROWS)]
    assert SECRET not in pull(source)[0].name
    for bad in (Answer("", 500), Answer("", 401), Answer("x", type="text/html"), Answer("", 404), Answer("{")):
        web.answer = [bad]
        with pytest.raises((Refused, Retryable)) as failure:
            pull(source)
        assert SECRET not in str(failure.value)
    assert web.asked[0].params["key"] == SECRET
    assert SECRET not in caplog.text


def test_a_secret_is_not_sent_to_another_server(web, pull, monkeypatch):
    monkeypatch.setenv("MINHU_SECRET_H1", SECRET)
    web.answer = [Answer(ROWS, headers={"Link": '<http://localhost:1/>; rel="next"'})]
    with pytest.raises(Refused, match="another server"):
        pull(rest(web, auth={"type": "bearer", "secret": "h1"}, pagination={"type": "link_header"}))


def test_a_missing_secret_is_named(web, pull):
    with pytest.raises(Refused, match="MINHU_SECRET_NOT_THERE"):
        pull(rest(web, auth={"type": "bearer", "secret": "not_there"}))


def test_the_same_content_is_loaded_once_and_the_cursor_is_stored_with_it(web, scratch, tmp_path):
    source = rest(web, records="items", cursor={"param": "since", "field": "受理时间"}, volatile=["pulled"])
    cases = given.CASES | {"source": source, "format": {"type": "json"}, "optional_columns": []}
    city = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[cases])]))
    web.answer = lambda asked: Answer({"items": [given.ROW | {"pulled": len(web.asked)}]})
    broken = Answer({"items": [{"工单编号": "1", "受理时间": "2026-10-30 00:00:00"}]})

    def cursors():
        with database.connect(city) as connection:
            return connection.execute("select cursor_value from audit.source_cursor").fetchall()

    good, web.answer = web.answer, [broken]
    with pytest.raises(BadDelivery):
        load_delivery("h1", "cases", DAY, settings=city)
    assert cursors() == [], "nothing was committed"
    web.answer = good
    outcomes = [load_delivery("h1", "cases", DAY, settings=city)[0].outcome for _ in range(2)]
    assert outcomes == ["loaded", "already_loaded"]
    assert cursors() == [("2026-10-12 08:30:00",)]
    assert web.asked[-1].params == {"since": "2026-10-12 08:30:00"}


def test_pages_in_xml_are_loaded(web, scratch, tmp_path):
    source = rest(web, format="xml", records="case", pagination={"type": "page"})
    cases = given.CASES | {"source": source, "format": {"type": "xml", "record": "case"}}
    city = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[cases])]))

    def answer(asked):
        row = given.ROW | {"工单编号": asked.params["page"]}
        cells = "".join(f"<{name}>{value}</{name}>" for name, value in row.items())
        return Answer(f"<r>{f'<case>{cells}</case>' if int(asked.params['page']) < 4 else ''}</r>", type="text/xml")

    web.answer = answer
    [result] = load_delivery("h1", "cases", DAY, settings=city)
    assert (result.outcome, result.staged, result.rejected) == ("loaded", 3, 0)


# Pages that shift while they are read


def shifting(rows, at, change):
    """Pages of two whose rows ``change`` once the page ``at`` was given; each tells how many rows there are."""

    def answer(asked):
        now = rows if int(asked.params["page"]) <= at else change(rows)
        start = (int(asked.params["page"]) - 1) * 2
        return Answer({"items": now[start : start + 2], "total": len(now)})

    return answer


SHIFTS = {
    "a new row on top": (lambda rows: [{"id": "9", "at": "2026-10-12 09:00:00"}, *rows], 6, 5),
    "a row goes to the end as it changes": (lambda rows: [*rows[1:], rows[0] | {"at": "2026-10-12 09:30:00"}], 5, 4),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_row_twice_and_another_never_is_held_though_the_total_agrees(scratch, tmp_path, web, shift):
    change, total, different = SHIFTS[shift]
    rows = [{"id": str(number), "at": "2026-10-12 08:00:00"} for number in range(5)]
    web.answer = shifting(rows, 1, change)
    source = rest(web, records="items", total="total", pagination={"type": "page"})
    delivery = {
        "name": "cases",
        "kind": "case",
        "source": source,
        "format": {"type": "json"},
        "columns": {"case_no": "id", "received_at": "at"},
    }
    city = scratch(given.config(tmp_path / "config", [given.feed(deliveries=[delivery])]))
    [result] = load_delivery("h1", "cases", DAY, settings=city)
    assert (result.outcome, result.received) == ("held", total)
    assert f"the sender counts {total} rows, {different} different ones arrived" in result.reason
    again = replay(city, result.batch_id)
    assert (again.outcome, again.reason) == ("held", result.reason), "reading it anew finds no missing row"
    web.answer = shifting(rows, 9, change)
    assert load_delivery("h1", "cases", DAY, settings=city)[0].outcome == "loaded"


def test_rows_that_came_twice_do_not_stop_a_pull_that_lacks_others(web, pull):
    """The sender has four rows; its second page repeats one of the first."""
    pages = [["0", "1"], ["1", "2"], ["3"], []]
    web.answer = lambda asked: Answer({"items": [{"id": x} for x in pages[int(asked.params["page"]) - 1]], "total": 4})
    [fetched] = pull(rest(web, records="items", total="total", pagination={"type": "page"}))
    assert ids(fetched) == ["0", "1", "1", "2", "3"]
    assert (fetched.control_total, fetched.arrived) == (4, 4)


# Deadlines


@pytest.mark.parametrize(
    "answer", [Answer(ROWS, drips=0.02), Answer(drips_head=0.02)], ids=["a body that drips", "a head that drips"]
)
def test_an_answer_that_drips_is_ended_at_the_declared_limit(web, pull, waits, answer):
    web.answer = [answer]
    began = time.monotonic()
    with pytest.raises(SourceAway, match=r"the answer took more than 0\.3 s, 2 times"):
        pull(rest(web, attempts=2, read_seconds=5, response_seconds=0.3))
    assert time.monotonic() - began < 3, "the whole body would have taken six seconds"


def test_a_later_page_that_drips_on_the_same_connection_is_ended_too(web, pull, waits):
    web.protocol = "HTTP/1.1"
    web.answer = [Answer({"items": ROWS}), Answer({"items": ROWS}, drips=0.02)]
    with pytest.raises(SourceAway, match=r"took more than 0\.3 s"):
        pull(rest(web, records="items", pagination={"type": "page"}, attempts=1, read_seconds=5, response_seconds=0.3))
