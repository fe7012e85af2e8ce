"""Apache Superset on this machine, against the warehouse of a home: made, started, given the bundle. `make bi` runs it.

Everything it keeps is in `$MINHU_HOME/bi`: its database, keys, passwords and logs. It reads the warehouse as a login of
the group bi. A second run starts what is stopped and imports the bundle anew.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from minhu import database
from minhu.bi import superset
from minhu.database import logins
from minhu.errors import MinhuError
from minhu.settings import PROJECT_ROOT, Settings

HERE = Path(__file__).parent
LOGIN = "superset"
WAIT_S = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, default=PROJECT_ROOT / ".bi", help="where Superset is installed")
    parser.add_argument("--port", type=int, default=8620)
    parser.add_argument("--stop", action="store_true", help="stop what was started")
    asked = parser.parse_args()
    settings = Settings.from_env()
    home = settings.home / "bi"
    if asked.stop:
        print("stopped" if stop(home) else "nothing is running")
        return
    try:
        show(settings, home, asked.environment, asked.port)
    except MinhuError as error:
        sys.exit(f"make bi: {error}")


def show(settings: Settings, home: Path, environment: Path, port: int) -> None:
    os.umask(0o077)
    home.mkdir(parents=True, exist_ok=True)
    for name, length in (("secret-key", 48), ("admin-password", 15), ("kan-password", 15)):
        if not (home / name).is_file():
            (home / name).write_text(secrets.token_urlsafe(length), encoding="utf-8")
    address, password = _login(settings, home)
    with database.connect(settings) as connection:
        texts = superset.files(connection, address)
    run = _Runs(environment, home, settings.timezone)
    print("Superset: making its home (half a minute, once)" if not (home / "ready").exists() else "Superset: starting")
    run("python", str(HERE / "prepare.py"), "words", str(home))
    if not (home / "ready").exists():
        run("superset", "db", "upgrade")
        run("superset", "init")
        run("python", str(HERE / "prepare.py"), "people", str(home))
        (home / "ready").touch()
    stop(home)
    run.start(port)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        _wait(client, home)
        _give(client, home, superset.bundle(texts), password)
    print(
        f"Superset shows the marts at http://127.0.0.1:{port}\n"
        f"  who looks      kan    {(home / 'kan-password').read_text(encoding='utf-8')}\n"
        f"  who arranges   admin  {(home / 'admin-password').read_text(encoding='utf-8')}\n"
        + "".join(
            f"  {board.zh}  http://127.0.0.1:{port}/superset/dashboard/{board.slug}/\n" for board in superset.BOARDS
        )
        + f"Stop it by: make bi-stop. Its logs: {home}"
    )


def _login(settings: Settings, home: Path) -> tuple[str, str]:
    """The address by which Superset reaches the warehouse, and the password of its login there, made at need."""
    kept = home / "warehouse-password"
    with database.connect(settings, autocommit=True) as owner:
        known = owner.execute("select 1 from pg_roles where rolname = %s", [LOGIN]).fetchone()
        if known and not kept.is_file():
            logins.drop_login(owner, LOGIN)
        if not known or not kept.is_file():
            kept.write_text(logins.add_login(owner, LOGIN, "bi"), encoding="utf-8")
    way = superset.address(database.read_url(settings) or database.url(settings), LOGIN)
    return way, kept.read_text(encoding="utf-8")


class _Runs:
    """Runs programs of Superset's environment for one home."""

    def __init__(self, environment: Path, home: Path, zone: str) -> None:
        self._bin, self._home = environment / "bin", home
        ours = {
            "MINHU_BI_HOME": str(home),
            "SUPERSET_HOME": str(home),
            "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"),
            "FLASK_APP": "superset.app:create_app",
            "TZ": zone,
            "PYTHONNOUSERSITE": "1",
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }
        self._environment = ours

    def __call__(self, program: str, *arguments: str) -> None:
        with (self._home / "setup.log").open("ab") as log:
            done = subprocess.run(
                [self._bin / program, *arguments], cwd=self._home, env=self._environment, stdout=log, stderr=log
            )
        if done.returncode:
            raise MinhuError(f"{program} {' '.join(arguments[:2])} failed; {self._home / 'setup.log'} says why")

    def start(self, port: int) -> None:
        with (self._home / "server.log").open("ab") as log:
            subprocess.Popen(
                [
                    *(self._bin / "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
                    *("--workers", "1", "--worker-class", "gthread", "--threads", "8", "--timeout", "120"),
                    *("--pid", self._home / "gunicorn.pid", "superset.app:create_app()"),
                ],
                cwd=self._home,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def stop(home: Path) -> bool:
    """Ends what `start` began; whether there was anything to end."""
    try:
        number = int((home / "gunicorn.pid").read_text(encoding="utf-8"))
        os.kill(number, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    with suppress(ProcessLookupError):
        for _ in range(100):
            os.kill(number, 0)
            time.sleep(0.1)
    (home / "gunicorn.pid").unlink(missing_ok=True)
    return True


def _wait(client: httpx.Client, home: Path) -> None:
    for _ in range(WAIT_S):
        with suppress(httpx.HTTPError):
            if client.get("/health").status_code == 200:
                return
        time.sleep(1)
    raise MinhuError(f"Superset does not answer after {WAIT_S} s; {home / 'server.log'} says why")


def _give(client: httpx.Client, home: Path, bundle: bytes, password: str) -> None:
    """Imports the bundle by the API, as admin."""
    who = {"username": "admin", "password": (home / "admin-password").read_text(encoding="utf-8"), "provider": "db"}
    client.headers["Referer"] = str(client.base_url)
    client.headers["Authorization"] = f"Bearer {client.post('/api/v1/security/login', json=who).json()['access_token']}"
    client.headers["X-CSRFToken"] = client.get("/api/v1/security/csrf_token/").json()["result"]
    told = client.post(
        "/api/v1/assets/import/",
        data={"passwords": json.dumps({"databases/minhu.yaml": password})},
        files={"bundle": ("minhu.zip", bundle, "application/zip")},
    )
    try:
        is_taken = told.json() == {"message": "OK"}
    except ValueError:
        is_taken = False  # who is not signed in is answered a page
    if not is_taken:
        raise MinhuError(f"Superset did not take the bundle ({told.status_code}); {home / 'server.log'} says why")


if __name__ == "__main__":
    main()
