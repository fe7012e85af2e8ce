"""The second factor: who decides shows a code of his phone, each of which serves once."""

import time
from dataclasses import replace

import pyotp
import pytest
import yaml

from minhu import database
from minhu.database import logins
from minhu.errors import Refused
from minhu.portal.desk import Desk, Halfway, Session
from minhu.portal.factor import STEP, forget
from tests.portal.conftest import Browser, House
from tests.portal.test_api import Program
from tests.portal.test_pages import read, words
from tests.publish import city as world


@pytest.fixture(scope="module")
def strict(house: House) -> House:
    """The same house, whose evaluators show a code."""
    file = house.city.config / "city.yml"
    told = yaml.safe_load(file.read_text(encoding="utf-8")) | {"portal": {"second_factor": ["evaluator"]}}
    file.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    return house


@pytest.fixture(autouse=True)
def nobody_has_one(house):
    yield
    world.rows(house.city, "delete from portal.factor returning 1")
    world.rows(house.city, "delete from portal.failure returning 1")


def enrolled(house: House) -> tuple[str, str]:
    """The evaluator's secret, its first code used; and a code that is still good."""
    entered = house.desk.enter(*house.credentials("evaluator"))
    house.desk.finish(entered.ticket, pyotp.TOTP(entered.secret).at(time.time() - STEP))
    return entered.secret, pyotp.TOTP(entered.secret).now()


def test_who_decides_enrols_at_his_first_sign_in_and_others_do_not(strict):
    entered = strict.desk.enter(*strict.credentials("evaluator"))
    assert isinstance(entered, Halfway) and entered.secret
    session = strict.desk.finish(entered.ticket, pyotp.TOTP(entered.secret).now())
    assert strict.desk.person(session).login == "house_shen"
    assert isinstance(strict.desk.enter(*strict.credentials("auditor")), Session)
    again = strict.desk.enter(*strict.credentials("evaluator"))
    assert isinstance(again, Halfway) and again.secret is None, "the secret is shown once"


def test_until_a_code_was_shown_the_secret_is_made_anew(strict):
    first, second = (strict.desk.enter(*strict.credentials("evaluator")) for _ in range(2))
    assert first.secret != second.secret
    with pytest.raises(Refused):
        strict.desk.finish(second.ticket, pyotp.TOTP(first.secret).now())


def test_a_code_serves_once_and_none_before_it_does(strict):
    secret, good = enrolled(strict)
    ticket = strict.desk.enter(*strict.credentials("evaluator")).ticket
    strict.desk.finish(ticket, good)
    for code in (good, pyotp.TOTP(secret).at(time.time() - STEP)):
        with pytest.raises(Refused, match="used"):
            strict.desk.finish(strict.desk.enter(*strict.credentials("evaluator")).ticket, code)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "000000 "])
def test_what_is_no_code_is_refused(strict, code):
    enrolled(strict)
    with pytest.raises(Refused):
        strict.desk.finish(strict.desk.enter(*strict.credentials("evaluator")).ticket, code)


def test_a_clock_that_is_a_step_apart_is_taken_and_two_are_not(strict):
    factors = strict.desk.factors
    secret = factors.enrol("house_shen")
    now = 1_800_000_000.0
    assert not factors.check("house_shen", pyotp.TOTP(secret).at(now - 2 * STEP), now)
    assert not factors.check("house_shen", pyotp.TOTP(secret).at(now + 2 * STEP), now)
    assert factors.check("house_shen", pyotp.TOTP(secret).at(now - STEP), now)
    assert factors.check("house_shen", pyotp.TOTP(secret).at(now + STEP), now)


def test_who_guesses_codes_waits(strict):
    enrolled(strict)
    ticket = strict.desk.enter(*strict.credentials("evaluator")).ticket
    told = set()
    for _ in range(8):
        try:
            strict.desk.finish(ticket, "000000")
        except Exception as error:
            told.add(type(error).__name__)
    assert told == {"Refused", "TriedTooOften"}


def test_a_ticket_is_no_session_and_nobody_makes_one(strict):
    _, good = enrolled(strict)
    entered = strict.desk.enter(*strict.credentials("evaluator"))
    browser = Browser(strict.desk)
    browser._cookies.set("minhu", f"evaluator.{entered.ticket}")
    assert browser.get("/inbox").status_code == 303
    other = Desk(replace(strict.desk.settings, home=strict.city.home), prefix=strict.desk.prefix)
    for forged in ("", "x.y.z", entered.ticket[:-2] + "xx", other._tickets.dumps(["house_shen", "evaluator"])):
        with pytest.raises(Refused, match="too long"):
            strict.desk.finish(str(forged), good)


def test_on_pages_it_is_a_second_step(strict):
    browser = Browser(strict.desk)
    name, password = strict.credentials("evaluator")
    page = read(browser.sign_in(name, password))
    assert browser.cookie is None and page.xpath("//div[@class='qr']//svg | //div[@class='qr']//*[name()='svg']")
    secret = page.xpath("//code/text()")[0]
    form = page.forms[-1]
    answer = browser.post(form.action, {"ticket": form.fields["ticket"], "code": pyotp.TOTP(secret).now()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/inbox").status_code == 200
    wrong = Browser(strict.desk)
    form = read(wrong.sign_in(name, password)).forms[-1]
    answer = wrong.post(form.action, {"ticket": form.fields["ticket"], "code": "000000"})
    assert answer.status_code == 403 and wrong.cookie is None and "验证码不对" in words(read(answer))


def test_a_program_gives_it_with_the_password(strict):
    _, good = enrolled(strict)
    name, password = strict.credentials("evaluator")
    program = Program(strict, "x")
    assert program.ask("/sessions", "POST", json={"name": name, "password": password}).status_code == 400
    answer = program.ask("/sessions", "POST", json={"name": name, "password": password, "code": good})
    assert answer.status_code == 200


def test_whoever_reads_the_database_makes_no_codes(strict):
    secret, _ = enrolled(strict)
    [(kept,)] = world.rows(strict.city, "select sealed from portal.factor")
    assert secret not in kept
    elsewhere = Desk(replace(strict.desk.settings, home=strict.city.home), prefix=strict.desk.prefix)
    with pytest.raises(Refused, match="another home"):
        replace(strict.desk.factors, key=elsewhere.factors.key).check("house_shen", "123456")


def test_a_lost_phone_is_forgotten_by_whoever_makes_logins(strict):
    enrolled(strict)
    with database.connect(strict.city, autocommit=True) as owner:
        forget(owner, "house_shen")
        with pytest.raises(Refused, match="no second factor"):
            forget(owner, "house_shen")
    assert strict.desk.enter(*strict.credentials("evaluator")).secret


def test_a_login_made_anew_has_none(strict):
    enrolled(strict)
    with database.connect(strict.city, autocommit=True) as owner:
        logins.drop_login(owner, "house_shen")
        password = logins.add_login(owner, "house_shen", "evaluator")
    assert strict.desk.enter("house_shen", password).secret
