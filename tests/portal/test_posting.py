"""Deliveries that come by the portal: a sender posts for its own feeds and sees what became of it; nobody else does."""

import base64
import hashlib
import json
from datetime import date
from urllib.parse import quote

import pytest

from minhu import database
from minhu.database import logins
from minhu.errors import MinhuError, Retryable
from minhu.landing.land import land
from minhu.portal import jobs, posting, runner
from tests import given
from tests.portal.conftest import ORIGIN, Browser, House
from tests.portal.test_api import Program, key
from tests.portal.test_pages import read, words
from tests.publish import city as world

DAY = date(2026, 11, 2)
TO = f"/deliveries/p1/posted?business_date={DAY}"
__all__ = ["key"]


def body(*rows: dict, folder) -> bytes:
    return given.case_file(folder / "body.csv", list(rows)).read_bytes()


@pytest.fixture
def sender(key) -> Program:
    return key("sender", may_decide=True)


def post(program: Program, content: bytes, to: str = f"{TO}&name={quote('日报.csv')}", headers: dict | None = None):
    headers = {"content-type": "application/octet-stream"} | (headers or {})
    return program.ask(to, "POST", headers=headers, content=content)


def run(house: House) -> None:
    while runner.run_one(house.desk, is_delivery=True):
        pass


def test_what_is_posted_is_loaded_once_and_its_receipt_says_how(house, sender, tmp_path):
    content = body({}, {"工单编号": "2", "受理时间": "昨天"}, folder=tmp_path)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    answer = post(sender, content, headers={"content-digest": f"sha-256=:{digest}:"})
    assert answer.status_code == 202, answer.text
    number = answer.json()["receipt"]
    assert answer.headers["location"] == f"/api/v1/receipts/{number}" and answer.json()["state"] == "waiting"
    assert post(sender, content).json()["receipt"] == number, "who hears nothing sends again"
    run(house)
    told = sender.ask(f"/receipts/{number}").json()
    assert (told["state"], told["outcome"], told["batch_status"]) == ("done", "loaded", "loaded")
    assert (told["received"], told["staged"], told["rejected"]) == (2, 1, 1)
    assert told["rejected_by"] == [{"reason_code": "BAD_TIMESTAMP", "column": "受理时间", "rows": 1, "first_rows": [2]}]
    assert told["sha256"] == hashlib.sha256(content).hexdigest() and "昨天" not in json.dumps(told, ensure_ascii=False)
    again = post(sender, content, to=f"{TO}&name=other.csv").json()["receipt"]
    run(house)
    assert sender.ask(f"/receipts/{again}").json()["outcome"] == "already_loaded"
    loaded = "select count(*) from audit.batch where feed_code = 'p1' and received_rows > 0"
    assert world.rows(house.city, loaded) == [(1,)]
    listed = sender.ask("/receipts?limit=1").json()
    assert [one["receipt"] for one in listed["items"]] == [again]
    assert [one["receipt"] for one in sender.ask(f"/receipts?after={listed['next']}").json()["items"]] == [number]


def test_a_quiet_day_sends_the_same_bytes_as_the_one_before(house, sender, tmp_path):
    content = body(folder=tmp_path)
    for day in (4, 5):
        answer = post(sender, content, to=f"/deliveries/p1/posted?business_date=2026-11-0{day}&name=quiet.csv")
        run(house)
        assert sender.ask(f"/receipts/{answer.json()['receipt']}").json()["outcome"] == "loaded"


def test_a_count_that_disagrees_holds_it_and_the_page_says_so(house, sender, browser, tmp_path):
    content = body({"工单编号": "31"}, folder=tmp_path)
    number = post(sender, content, to="/deliveries/p1/posted?business_date=2026-11-06&name=a.csv&rows=3").json()[
        "receipt"
    ]
    run(house)
    assert sender.ask(f"/receipts/{number}").json()["outcome"] == "held"
    browser.sign_in(*house.credentials("sender"))
    told = words(read(browser.get(f"/push/receipts/{number}")).get_element_by_id("main"))
    assert "扣留" in told and "the sender counts 3 rows" in told


def test_what_is_refused_may_be_posted_again_once_it_is_mended(house, sender, tmp_path):
    content = "不是表格".encode("gb18030")
    to = "/deliveries/p1/posted?business_date=2026-11-07&name=a.csv"
    first = post(sender, content, to=to).json()["receipt"]
    run(house)
    told = sender.ask(f"/receipts/{first}").json()
    assert (told["state"], told["batch_status"]) == ("refused", "refused") and told["reason_code"]
    assert post(sender, content, to=to).json()["receipt"] > first
    run(house)


def test_a_trial_loads_nothing_and_leads_to_the_load(house, browser, tmp_path):
    browser.sign_in(*house.credentials("sender"))
    content = body({"工单编号": "41"}, {"工单编号": "42", "受理时间": "昨天"}, folder=tmp_path)
    before = world.rows(house.city, "select count(*) from audit.batch")
    form = {"business_date": "2026-11-08", "trial": "1", "rows": ""}
    answer = browser.send(
        "/push/to/p1/posted", data=form, files={"file": ("日报.csv", content)}, headers={"origin": ORIGIN}
    )
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    assert "等待" in words(read(browser.get(place)))
    run(house)
    page = read(browser.get(place))
    told = words(page.get_element_by_id("main"))
    assert "可以入库" in told and "昨天" not in told
    assert world.rows(house.city, "select count(*) from audit.batch") == before
    loaded = browser.post(place)
    assert loaded.status_code == 303 and loaded.headers["location"] != place
    run(house)
    told = words(read(browser.get(loaded.headers["location"])).get_element_by_id("main"))
    assert "新装载" in told and "受理时间" in told
    assert world.rows(house.city, "select count(*) from audit.batch") == [(before[0][0] + 1,)]


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("/deliveries/p2/posted?business_date=2026-11-02&name=a.csv", 400),
        ("/deliveries/h1/cases?business_date=2026-11-02&name=a.csv", 400),
        ("/deliveries/p1/nothing?business_date=2026-11-02&name=a.csv", 400),
        ("/deliveries/p1/posted?business_date=2126-11-02&name=a.csv", 400),
        ("/deliveries/p1/posted?business_date=yesterday&name=a.csv", 422),
        ("/deliveries/..%2Fcity/posted?business_date=2026-11-02&name=a.csv", 404),
    ],
)
def test_what_is_not_ones_own_to_send_is_refused(house, sender, tmp_path, to, status):
    before = world.rows(house.city, "select count(*) from portal.job")
    answer = post(sender, body({}, folder=tmp_path), to=to)
    assert answer.status_code == status, answer.text
    assert world.rows(house.city, "select count(*) from portal.job") == before


def test_what_is_not_what_was_sent_is_refused(sender, tmp_path):
    digest = base64.b64encode(bytes(32)).decode()
    answer = post(sender, body({}, folder=tmp_path), headers={"content-digest": f"sha-256=:{digest}:"})
    assert answer.status_code == 400 and "sha-256" in answer.json()["detail_zh"]


def test_more_than_is_declared_is_refused_before_it_is_read(house, sender):
    answer = post(sender, bytes(2_000_001))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_much")

    async def endless():
        for _ in range(10_000):
            yield bytes(65536)
        raise AssertionError("all of it was read")

    answer = post(sender, endless())
    assert answer.status_code == 413
    assert not list(house.desk.settings.transit.glob(".posting-*"))


def test_more_than_is_declared_is_refused_on_the_page_too(browser, house):
    browser.sign_in(*house.credentials("sender"))
    form = {"business_date": "2026-11-08"}
    files = {"file": ("a.csv", bytes(2_100_000))}
    answer = browser.send("/push/to/p1/posted", data=form, files=files, headers={"origin": ORIGIN})
    assert answer.status_code == 413 and "2 MB" in answer.text


def test_whose_posts_wait_already_sends_nothing_more(house, sender, browser, tmp_path, monkeypatch):
    """It is said before a byte is read, by both ways in."""
    assert post(sender, body({"工单编号": "77"}, folder=tmp_path)).status_code == 202
    monkeypatch.setattr(posting, "MOST_WAITING", 1)

    async def unread():
        raise AssertionError("it was read")
        yield b""

    answer = post(sender, unread())
    assert (answer.status_code, "等待或进行" in answer.json()["detail_zh"]) == (400, True)
    browser.sign_in(*house.credentials("sender"))
    answer = browser.send("/push/to/p1/posted", content=unread(), headers={"origin": ORIGIN})
    assert answer.status_code == 400 and "等待或进行" in answer.text
    run(house)
    assert browser.get("/push/to/p1/posted").status_code == 200


@pytest.mark.parametrize("group", ["evaluator", "auditor", "unit", "bi", "engineer"])
def test_nobody_else_posts_or_reads_receipts(house, key, group, tmp_path):
    program = key(group, may_decide=True)
    for answer in (post(program, body({}, folder=tmp_path)), program.ask("/receipts"), program.ask("/deliveries")):
        assert answer.status_code in (400, 403)
    browser = Browser(house.desk)
    browser.sign_in(*house.credentials(group))
    assert browser.get("/push").status_code == 403
    answer = browser.send("/push/to/p1/posted", files={"file": ("a.csv", b"x")}, data={}, headers={"origin": ORIGIN})
    assert answer.status_code == 403


def test_a_key_that_only_reads_posts_nothing(key, tmp_path):
    assert post(key("sender"), body({}, folder=tmp_path)).status_code in (400, 403)


def test_no_job_is_made_of_bytes_that_were_not_posted(house, sender):
    """By the door of jobs a sender would name any landed file as its own."""
    given = {
        "feed": "p1",
        "delivery": "posted",
        "business_date": "2026-11-02",
        "name": "a",
        "sha256": "0" * 64,
        "bytes": 1,
    }
    answer = sender.ask("/jobs/deliver", "POST", json={"key": "key-12345", "parameters": given})
    assert answer.status_code in (400, 403)
    assert world.rows(
        house.city, "select count(*) from portal.job where parameters ->> 'sha256' = repeat('0', 64)"
    ) == [(0,)]


def test_another_senders_receipt_is_not_told(house, sender, tmp_path):
    other = world.login(house.city, "house_song2", "sender", feeds=["p1", "p2"])
    number = post(sender, body({"工单编号": "51"}, folder=tmp_path)).json()["receipt"]
    name, password = _credentials(other)
    session = house.desk.sign_in(name, password)
    assert [one.feed for one in posting.offers(house.desk.asks(session))] == ["p1", "p2"]
    with pytest.raises(MinhuError):
        posting.receipt(house.desk.asks(session), number)


def _credentials(settings) -> tuple[str, str]:
    import sqlalchemy

    at = sqlalchemy.make_url(str(settings.database_url))
    return str(at.username), str(at.password)


def test_who_may_no_longer_send_is_not_loaded(house, tmp_path, key):
    name, password = _credentials(world.login(house.city, "house_song3", "sender", feeds=["p1"]))
    session = house.desk.sign_in(name, password)
    acts, reads = house.desk.asks(session, reads=False), house.desk.asks(session)
    of = posting.one_to_post(reads, "p1", "posted")
    path = given.case_file(tmp_path / "body.csv", [{"工单编号": "61"}])
    number = posting.post(acts, of, land(house.city, path), date(2026, 11, 9), "a.csv")
    with database.connect(house.city, autocommit=True) as owner:
        logins.sends_for(owner, name, "p1", is_active=False)
    run(house)
    found = posting.receipt(reads, number)
    assert (found.state, found.batch_id) == ("refused", None) and "may not" in str(found.why)
    with pytest.raises(MinhuError):
        posting.one_to_post(reads, "p1", "posted")


def test_who_signs_out_has_not_taken_back_what_he_posted(house, tmp_path):
    session = house.desk.sign_in(*house.credentials("sender"))
    acts, reads = house.desk.asks(session, reads=False), house.desk.asks(session)
    of = posting.one_to_post(reads, "p1", "posted")
    path = given.case_file(tmp_path / "body.csv", [{"工单编号": "81"}])
    number = posting.post(acts, of, land(house.desk.settings, path), date(2026, 11, 9), "b.csv")
    house.desk.sign_out(session)
    run(house)
    again = house.desk.sign_in(*house.credentials("sender"))
    assert posting.receipt(house.desk.asks(again), number).outcome == "loaded"


def test_what_cannot_be_loaded_now_is_claimed_again(house, sender, tmp_path, monkeypatch):
    content = body({"工单编号": "91"}, folder=tmp_path)
    number = post(sender, content, to=f"{TO}&name=again.csv").json()["receipt"]
    with monkeypatch.context() as away:
        away.setattr("minhu.load.push.receive_landed", raising(Retryable("the disk is full")))
        assert runner.run_one(house.desk, is_delivery=True)
    assert sender.ask(f"/receipts/{number}").json()["state"] == "running", "it is nobody's refusal"
    assert not runner.run_one(house.desk, is_delivery=True), "not at once"
    with database.connect(house.city) as owner:
        owner.execute("update portal.job set heard_at = heard_at - interval '61 seconds' where job_id = %s", [number])
    run(house)
    assert sender.ask(f"/receipts/{number}").json()["outcome"] == "loaded"


def raising(error: Exception):
    def raises(*given, **more):
        raise error

    return raises


def test_a_name_of_a_file_says_nothing_of_a_citizen(house, sender, tmp_path):
    content = body({"工单编号": "95"}, folder=tmp_path)
    answer = post(sender, content, to=f"{TO}&name={quote('王小明13800001111.csv')}")
    assert "王小明" not in answer.json()["name"] and "13800001111" not in answer.json()["name"]
    run(house)


def test_a_number_that_is_none_of_ours_is_refused(house):
    browser = Browser(house.desk)
    browser.sign_in(*house.credentials("sender"))
    assert browser.get(f"/push/receipts/{10**20}").status_code == 400


def test_a_long_job_keeps_no_delivery_waiting(house, key, sender, tmp_path):
    settings = house.desk.asks(house.desk.sign_in(*house.credentials("auditor")), reads=False)
    jobs.ask(settings, "verify", {"period": "2026-10", "scheme": "linan"}, "key-of-lanes")
    number = post(sender, body({"工单编号": "71"}, folder=tmp_path), to=f"{TO}&name=lane.csv").json()["receipt"]
    assert runner.run_one(house.desk, is_delivery=True)
    assert sender.ask(f"/receipts/{number}").json()["state"] == "done"
    assert runner.run_one(house.desk) and not runner.run_one(house.desk)
