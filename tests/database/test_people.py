"""Who somebody is by the password of his own login, and what no password proves."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from minhu import database
from minhu.database import embedded, people, roles
from minhu.database.logins import GROUPS, add_login
from minhu.errors import Refused, Retryable
from minhu.settings import Settings
from tests.database.test_embedded import installing


@pytest.fixture(scope="module")
def city() -> Iterator[Settings]:
    """A server of its own, that asks no password of ``pro_trusted``."""
    with ExitStack() as stack:
        city = stack.enter_context(installing())("home")
        data = embedded.start(city).data_dir
        embedded.stop(city)
        hba = (data / "pg_hba.conf").read_text()
        (data / "pg_hba.conf").write_text("host all pro_trusted 127.0.0.1/32 trust\n" + hba)
        database.migrate(city)
        yield city


@pytest.fixture(scope="module")
def passwords(city: Settings) -> dict[str, str]:
    with database.connect(city) as owner:
        return {
            name: add_login(owner, name, group)
            for name, group in {"pro_li": "engineer", "pro_trusted": "engineer", "pro_shen": "evaluator"}.items()
        }


def told(city: Settings, statement: str) -> None:
    """Says it as whoever may: nobody but the superuser makes another."""
    who = roles.SUPERUSER if "superuser" in statement else roles.OWNER
    with psycopg.connect(embedded.start(city).url("warehouse", who), autocommit=True) as connection:
        connection.execute(statement)


def test_a_right_password_proves_who_it_is_and_a_wrong_one_nothing(city, passwords):
    people.prove(city, "pro_li", passwords["pro_li"])
    for password in ("wrong", passwords["pro_shen"], passwords["pro_li"] + " "):
        with pytest.raises(Refused, match="does not let 'pro_li' in") as refused:
            people.prove(city, "pro_li", password)
        assert password not in str(refused.value)


@pytest.mark.parametrize("name", ["", "pro_li\0", "nobody", "pro_li' host='elsewhere", "x" * 64, "中" * 30])
def test_a_name_that_is_no_logins_is_refused(city, passwords, name):
    with pytest.raises(Refused):
        people.prove(city, name, passwords["pro_li"])


def test_without_a_password_none_is_looked_for_elsewhere(city, passwords, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", passwords["pro_li"])
    with pytest.raises(Refused):
        people.prove(city, "pro_li", "")


def test_a_server_that_asks_no_password_proves_nothing(city, passwords):
    at = database.url(city).rsplit("@", 1)[1]
    psycopg.connect(f"postgresql://pro_trusted@{at}").close()  # it lets him in
    for password in ("guess", passwords["pro_trusted"]):
        with pytest.raises(Refused):
            people.prove(city, "pro_trusted", password)


def test_a_login_of_the_house_is_nobody(city):
    for name in (roles.OWNER, roles.WORK, roles.ENGINEER):
        with pytest.raises(Refused, match="no login of a person"):
            people.prove(city, name, city.secret(f"{name}-password"))
        assert people.groups_of(city, name) == set()
    assert people.groups_of(city, roles.SUPERUSER) == set()


def test_a_login_has_the_rights_of_its_groups_while_it_may_log_in(city, passwords):
    assert people.groups_of(city, "pro_li") == {"engineer"}
    assert people.groups_of(city, "nobody") == set()
    for takes, gives in (
        ("alter role pro_li nologin", "alter role pro_li login"),
        ("alter role pro_li valid until '2020-01-01'", "alter role pro_li valid until 'infinity'"),
        ("revoke minhu_engineer from pro_li", "grant minhu_engineer to pro_li"),
        ("revoke connect on database warehouse from minhu_engineer", "grant connect on database warehouse to"
         " minhu_engineer"),
        ("grant minhu_portal to pro_li", "revoke minhu_portal from pro_li"),
        ("alter role pro_li superuser", "alter role pro_li nosuperuser"),
    ):  # fmt: skip
        told(city, takes)
        assert people.groups_of(city, "pro_li") == set(), takes
        told(city, gives)
        assert people.groups_of(city, "pro_li") == {"engineer"}, gives
    told(city, "grant minhu_auditor to pro_li")
    assert people.groups_of(city, "pro_li") == {"auditor", "engineer"}
    told(city, "revoke minhu_auditor from pro_li")


def test_who_has_as_many_sessions_as_he_may_is_not_told_that_his_password_is_wrong(city, passwords):
    with database.connect(city) as owner:
        password = add_login(owner, "pro_busy", "auditor", connections=1)
    with psycopg.connect(embedded.start(city).url("warehouse", roles.OWNER), user="pro_busy", password=password):
        people.prove(city, "pro_busy", password)
        with pytest.raises(Refused, match="does not let 'pro_busy' in"):
            people.prove(city, "pro_busy", "wrong")


def test_a_server_that_is_away_is_told_from_a_wrong_password(city, passwords):
    away = replace(city, database_url="postgresql://minhu_work:x@127.0.0.1:1/warehouse")
    with pytest.raises(Retryable):
        people.prove(away, "pro_li", passwords["pro_li"])


def test_an_engineer_reads_what_holds_no_citizens_words_and_changes_nothing(city, passwords):
    at = database.url(city).rsplit("@", 1)[1]
    with psycopg.connect(f"postgresql://pro_li:{passwords['pro_li']}@{at}", autocommit=True) as engineer:
        engineer.execute("select count(*) from audit.batch")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            engineer.execute("create table mart.x ()")
        engineer.execute("set default_transaction_read_only = off")
        for table in ("restricted.case_text", "staging.case_record"):
            with pytest.raises(psycopg.Error):
                engineer.execute(sql.SQL("select from {}").format(sql.Identifier(*table.split("."))))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            engineer.execute("delete from audit.batch")
    with database.connect(city) as owner, pytest.raises(Refused, match="no pages for signin"):
        add_login(owner, "pro_pages", "signin", is_portal=True)


def test_the_sessions_of_every_group_have_a_bound(city):
    with database.connect(city) as connection:
        bound = {
            group: connection.execute("select audit.sessions_of_group(%s)", [f"minhu_{group}"]) for group in GROUPS
        }
        assert [group for group, answer in bound.items() if not answer.fetchone()[0]] == []
