"""Who acts is who the server authenticated: by password, by another way under a name that is mapped, or nobody."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from psycopg import Connection, errors, sql

from minhu import database
from minhu.database import embedded, roles
from minhu.database.logins import add_login, identify
from minhu.errors import Refused
from tests.database.test_embedded import installing

WHO = "select assess.authenticated(), assess.actor()"


@pytest.fixture(scope="module")
def server():
    """A server of its own, that asks no password of ``trusted`` and takes this machine's user for ``ev1``."""
    with ExitStack() as stack:
        install = stack.enter_context(installing())
        city = install("home")
        socket = Path(stack.enter_context(TemporaryDirectory(prefix="minhu-")))
        socket.chmod(0o777)
        data = embedded.start(city).data_dir
        embedded.stop(city)
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(f"unix_socket_directories = '{socket}'\n")
        hba = (data / "pg_hba.conf").read_text()
        let_in = "host all trusted 127.0.0.1/32 trust\nlocal all ev1 peer map=house\n"
        (data / "pg_hba.conf").write_text(let_in + hba)
        (data / "pg_ident.conf").write_text("house /^(.*)$ ev1\n")
        database.migrate(city)
        with database.connect(city, autocommit=True) as owner:
            for login in ("ev1", "trusted"):
                add_login(owner, login, "evaluator")
        yield city, socket


def by_socket(server) -> Connection:
    city, socket = server
    url = database.url(city)
    port, name = url.rsplit(":", 1)[1].split("/")
    return Connection.connect(host=str(socket), port=port, dbname=name, user="ev1", autocommit=True)


def test_a_login_that_nobody_asked_for_a_password_decides_nothing(server):
    city, _ = server
    url = database.url(city)
    at = url.rsplit("@", 1)[1]
    with Connection.connect(f"postgresql://trusted@{at}", autocommit=True) as connection:
        assert connection.execute(WHO).fetchone() == (None, None)
        with pytest.raises(errors.RaiseException, match=r"to be the login trusted: .* pg_hba\.conf trusts"):
            connection.execute("select assess.acting()")


def test_a_name_of_elsewhere_acts_once_it_is_mapped_and_no_longer_than_that(server):
    city, _ = server
    with by_socket(server) as connection, database.connect(city, autocommit=True) as owner:
        me = connection.execute("select system_user").fetchone()[0].removeprefix("peer:")
        assert connection.execute(WHO).fetchone() == (None, None)
        identify(owner, "ev1", "peer", me)
        assert connection.execute(WHO).fetchone() == ("ev1", "ev1")
        identify(owner, "ev1", "peer", me, is_active=False)
        assert connection.execute(WHO).fetchone() == (None, None)
        identify(owner, "trusted", "peer", me)  # it is another's
        assert connection.execute(WHO).fetchone() == ("trusted", None)
        with pytest.raises(Refused, match="there is no login 'nobody'"):
            identify(owner, "nobody", "peer", me)


def test_no_setting_and_no_role_changes_who_acts(server):
    city, _ = server
    with Connection.connect(embedded.start(city).url("warehouse", roles.SUPERUSER), autocommit=True) as owner:
        name = owner.info.user
        owner.execute("set role ev1")
        assert owner.execute(WHO).fetchone() == (name, name)
        owner.execute("reset role; set session authorization ev1")
        assert owner.execute(WHO).fetchone() == (name, None)
        owner.execute("set role minhu_evaluator")
        assert owner.execute(WHO).fetchone() == (name, None)
        owner.execute("reset session authorization")
        for setting in ("session_authorization", "role"):
            with pytest.raises(errors.Error):
                owner.execute(sql.SQL("select set_config({}, 'nobody', false)").format(sql.Literal(setting)))
        assert owner.execute(WHO).fetchone() == (name, name)
