"""Two pages beside Airflow's own: what they tell of a feed and of the builds, to whom, and nobody's data."""

import asyncio
from datetime import datetime, timedelta

import httpx
import pytest

from minhu import database, quality
from minhu.airflow_pages import app
from minhu.airflow_plugin import Account, Pages
from minhu.config import sync
from minhu.errors import BadDelivery
from minhu.load import load_delivery
from minhu.warehouse.build import build
from tests import given

PHONE = "13912345678"


class Asked:
    """An application, asked without a server."""

    def __init__(self, of):
        self._of = of

    def get(self, place: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._of)
            async with httpx.AsyncClient(transport=transport, base_url="http://here", follow_redirects=True) as client:
                return await client.get(place)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    terms = {"due_days": 0, "due_time": "00:00", "grace_minutes": 1}
    source = given.CASES["source"] | {"path": "h1/cases_{date}.csv"}
    feeds = [given.feed("h1", name="名字很长的热线" * 6, deliveries=[given.CASES | {"source": source}], arrival=terms)]
    city = scratch(given.config(tmp_path_factory.mktemp("pages"), feeds))
    sync(city)
    yesterday = datetime.now(city.zone).date() - timedelta(days=1)
    before = yesterday - timedelta(days=1)
    given.case_file(city.drop / "h1" / f"cases_{before:%Y%m%d}.csv", [{"来电号码": PHONE}])
    load_delivery("h1", "cases", before, settings=city)
    given.case_file(city.drop / "h1" / f"cases_{yesterday:%Y%m%d}.csv", [{"受理时间": PHONE, "主要内容": PHONE}])
    with pytest.raises(BadDelivery):
        load_delivery("h1", "cases", yesterday, settings=city)
    quality.judge_arrivals(city)
    build(city)
    return city


@pytest.fixture
def pages(city, monkeypatch):
    told = {"HOME": city.home, "CONFIG": city.config, "DROP": city.drop, "DATABASE_URL": city.database_url}
    for name, value in told.items():
        monkeypatch.setenv(f"MINHU_{name}", str(value))
    (city.data_docs).mkdir(exist_ok=True)
    (city.data_docs / "index.html").write_text("质量报告")
    return Asked(app())


def test_a_feed_tells_its_deliveries_their_mends_and_its_batches(pages):
    told = pages.get("/feeds/h1")
    assert told.status_code == 200
    for word in ("名字很长的热线", "整批拒收", "请报送单位更正后重送", "已放行", "cases_", "批次"):
        assert word in told.text
    assert PHONE not in told.text and PHONE[3:] not in told.text


def test_a_feed_that_nobody_knows_has_a_page_that_says_so(pages):
    told = pages.get("/feeds/<b>x")
    assert told.status_code == 404 and "<b>x" not in told.text and "还没有批次" in told.text


def test_the_builds_tell_their_steps_and_lead_to_the_reports(pages, city):
    told = pages.get("/builds").text
    assert "成功" in told and "模型与测试" in told
    with database.connect(city) as connection:
        connection.execute("update audit.build set status = 'failed', message = 'a <model> failed'")
    assert "a &lt;model&gt; failed" in pages.get("/builds").text
    assert pages.get("/data_docs/").text == "质量报告"


def test_a_task_leads_to_its_page_or_to_the_portal(monkeypatch):
    def link(dag_id):
        return Account().get_link(None, ti_key=type("Key", (), {"dag_id": dag_id})())

    monkeypatch.delenv("MINHU_PORTAL_URL", raising=False)
    assert (link("feed_h12345"), link("warehouse")) == ("/minhu/feeds/h12345", "/minhu/builds")
    monkeypatch.setenv("MINHU_PORTAL_URL", "https://minhu.city.example/")
    assert link("feed_h12345") == "https://minhu.city.example/feeds/h12345"


def test_who_has_not_logged_in_is_refused(pages, monkeypatch):
    async def nobody(scope):
        return False

    monkeypatch.setattr("minhu.airflow_plugin._is_logged_in", nobody)
    assert Asked(Pages()).get("/feeds/h1").status_code == 401
