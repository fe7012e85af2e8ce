"""Secrets by name, from the environment: ``MINHU_SECRET_<NAME>``, else the password of ``AIRFLOW_CONN_<NAME>``.

The form of an Airflow connection is read here without Airflow: an address, or a JSON object. No message tells a value.
"""

import json
import os
from urllib.parse import unquote, urlsplit

from minhu.errors import Refused


def secret(name: str) -> str:
    """The secret ``name``. Raises Refused naming the variable that is missing."""
    variable, connection = f"MINHU_SECRET_{name.upper()}", f"AIRFLOW_CONN_{name.upper()}"
    value = os.environ.get(variable) or _password(os.environ.get(connection, ""))
    if not value:
        raise Refused(
            f"the secret {name!r} is missing: set {variable}, or a connection with a password in {connection}"
        )
    return value


def _password(connection: str) -> str | None:
    """The password of an Airflow connection's environment form, or None."""
    try:
        if connection.lstrip().startswith("{"):
            return json.loads(connection).get("password")
        return unquote(urlsplit(connection).password or "") or None
    except ValueError:
        return None
