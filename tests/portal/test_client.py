"""The client for programs: what is written from the description of the API asks it, and is answered as it says."""

import importlib.util
import subprocess
import sys
from datetime import timedelta

import pytest

from minhu.portal.api.app import api
from minhu.portal.api.client import client
from minhu.publish.diff import show_release
from tests.portal.conftest import MONTH, House
from tests.portal.test_browser import served


@pytest.fixture(scope="module")
def module(house: House, tmp_path_factory):
    """The client as a module of its own."""
    file = tmp_path_factory.mktemp("client") / "minhu_client.py"
    file.write_text(client(api(house.desk).openapi()), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("minhu_client", file)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def asked(house: House, module):
    """A client with the key of somebody of this group."""
    with served(house) as address:

        def of(group: str):
            session = house.desk.sign_in(*house.credentials(group))
            _, token = house.desk.make_key(session, "client", False, timedelta(days=1))
            return module.Minhu(address, token)

        yield of


def test_every_address_has_its_method(house, module):
    told = api(house.desk).openapi()
    named = {one["operationId"] for methods in told["paths"].values() for one in methods.values()}
    assert named == {name for name in vars(module.Minhu) if not name.startswith("_")}


def test_rows_come_page_after_page(house, asked):
    scores = list(asked("auditor").scores("linan", MONTH, limit=1))
    _, units = show_release(house.people["auditor"], MONTH)
    assert {one["unit_code"]: one["score_100"] for one in scores} == {
        one["unit_code"]: str(one["score_100"]) for one in units
    }
    assert len(scores) == 2


def test_what_is_refused_is_raised_with_why(asked, module):
    with pytest.raises(module.Refused) as told:
        asked("unit").unit("U2", MONTH)
    assert (told.value.status, told.value.code) == (400, "refused") and "单位" in told.value.detail_zh
    with pytest.raises(module.Refused) as told:
        asked("bi").feeds(date="2026-10-31").__next__()
    assert told.value.status == 400


def test_a_name_is_no_way_out_of_the_address(asked, module):
    with pytest.raises(module.Refused) as told:
        asked("auditor").case("..", "../../me")
    assert told.value.status in (400, 404)


def test_the_one_that_is_served_is_the_one_that_is_described(browser, house):
    answer = browser.get("/api/v1/client.py")
    assert answer.status_code == 200 and answer.text == client(api(house.desk).openapi())


@pytest.mark.long
def test_its_types_hold(module):
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", module.__file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
