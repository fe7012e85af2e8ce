"""The programs of PostgreSQL that dump and restore, run so that no password stands in a command line."""

import os
import subprocess
from dataclasses import replace

from minhu import database
from minhu.database import embedded, roles
from minhu.errors import Retryable
from minhu.settings import Settings


def as_superuser(settings: Settings) -> Settings:
    return replace(settings, login=roles.SUPERUSER)


def run(settings: Settings, program: str, *arguments: str) -> None:
    at, password = database.without_password(database.url(settings))
    bin_dir = embedded.status(settings).bin_dir
    env = os.environ | {"LC_ALL": "C.UTF-8"} | ({"PGPASSWORD": password} if password else {})
    named = f"--dbname={at}"
    done = subprocess.run(
        [str(bin_dir / program), "--no-password", named, *arguments],
        env=env,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise Retryable(f"{program}: {done.stdout.strip()[-400:]}")
