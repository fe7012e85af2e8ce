"""The warehouse database: the server that comes with us, how to reach it, its migrations, its logins."""

from minhu.database.apart import Standing, read, read_url, reading, standing
from minhu.database.connect import (
    LOCK_BUILD,
    LOCK_CONFIG,
    act,
    assert_unbroken,
    columns,
    connect,
    default_zone,
    held,
    lock,
    one,
    url,
    without_password,
)
from minhu.database.deciding import Decision, deciding
from minhu.database.migrate import MIGRATIONS, applied, migrate, outstanding

__all__ = [
    "LOCK_BUILD",
    "LOCK_CONFIG",
    "MIGRATIONS",
    "Decision",
    "Standing",
    "act",
    "applied",
    "assert_unbroken",
    "columns",
    "connect",
    "deciding",
    "default_zone",
    "held",
    "lock",
    "migrate",
    "one",
    "outstanding",
    "read",
    "read_url",
    "reading",
    "standing",
    "url",
    "without_password",
]
