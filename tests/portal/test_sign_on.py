"""The city's own sign-on says who somebody is; what he may, and whether a code is asked for too, the database says."""

from urllib.parse import parse_qs, urlsplit

import pytest

from minhu.database.sign_on import Provider
from minhu.portal.app import application
from tests.idp import SECRET, Idp
from tests.portal.conftest import ORIGIN, Browser, House
from tests.portal.test_pages import read, words


@pytest.fixture
def idp():
    made = Idp()
    yield made
    made.close()


@pytest.fixture
def signing_on(house: House, idp: Idp):
    """A browser that has come back from the provider, and the answer; ``changed``: what is changed on the way."""
    app = application(house.desk, Provider.from_env({"MINHU_OIDC_URL": idp.url, "MINHU_OIDC_SECRET": SECRET}))

    def go(name: object, back: str = "/help", **changed: str):
        idp.says = {"preferred_username": name}
        browser = Browser(house.desk, app)
        [way] = read(browser.get(f"/login?back={back}")).xpath("//a[contains(@href, 'oidc')]/@href")
        sent = browser.get(way)
        idp.asked = {key: value for key, (value,) in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert idp.asked["redirect_uri"] == f"{ORIGIN}/login/oidc/callback"
        given = {"code": "the-code", "state": idp.asked["state"]} | changed
        return browser, browser.get("/login/oidc/callback", params=given)

    return go


def test_who_signed_on_is_in_as_the_login_of_his_name(signing_on, house):
    name = house.credentials("auditor")[0]
    browser, answer = signing_on(name)
    assert answer.status_code == 200
    [moved] = read(answer).xpath("//meta[@http-equiv='refresh']/@content")
    assert moved == "0; url=/help", "asked for by this page: what another site sends on comes without our cookie"
    assert name in words(read(browser.get("/help")))


def test_nobody_is_sent_elsewhere_behind_the_sign_on(signing_on, house):
    _, answer = signing_on(house.credentials("auditor")[0], back="https://evil.example/")
    assert read(answer).xpath("//meta[@http-equiv='refresh']/@content") == ["0; url=/"]


@pytest.mark.parametrize("name", ["nobody", "minhu", "minhu_owner", "postgres", "house_portal_auditor"])
def test_whom_the_database_does_not_know_as_a_person_stays_out(signing_on, name):
    browser, answer = signing_on(name)
    assert answer.status_code == 403 and "没有可用的登录账号" in answer.text and browser.cookie is None


@pytest.mark.parametrize("changed", [{"state": "another"}, {"code": "another"}, {"error": "access_denied"}], ids=str)
def test_what_was_not_signed_for_this_request_lets_nobody_in(signing_on, house, changed):
    browser, answer = signing_on(house.credentials("auditor")[0], **changed)
    assert answer.status_code == 403 and "没有确认您的身份" in answer.text and browser.cookie is None


def test_a_name_that_is_none_lets_nobody_in(signing_on):
    for name in ("", None, ["house_wu"], 7):
        browser, answer = signing_on(name)
        assert answer.status_code == 403 and browser.cookie is None


def test_who_decides_shows_a_code_behind_the_sign_on_too(signing_on, house, monkeypatch):
    asks = type(house.desk)._terms.fget(house.desk).model_copy(update={"second_factor": ("evaluator",)})
    monkeypatch.setattr(type(house.desk), "_terms", property(lambda _: asks))
    browser, answer = signing_on(house.credentials("evaluator")[0])
    assert read(answer).xpath("//form[@action='/login/code?back=/help']") and browser.cookie is None
    browser, _ = signing_on(house.credentials("auditor")[0])
    assert browser.cookie


def test_a_sign_on_that_is_away_is_told_and_the_password_still_works(house):
    app = application(house.desk, Provider.from_env({"MINHU_OIDC_URL": "http://127.0.0.1:1/"}))
    browser = Browser(house.desk, app)
    answer = browser.get("/login/oidc")
    assert answer.status_code == 503 and "暂时不能使用" in answer.text
    assert browser.sign_in(*house.credentials("auditor")).status_code == 303


def test_without_one_nothing_leads_there(browser):
    assert "oidc" not in browser.get("/login").text
    assert browser.get("/login/oidc").status_code == 404
