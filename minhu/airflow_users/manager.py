"""The auth manager that Airflow is configured with: people by their own logins, rights by their groups.

A token names a person and nothing else. Whether the login still stands, and in which groups, is asked again every
`rights.FRESH` seconds: who is locked out, or taken out of a group, is so here within them, whatever token he holds.
"""

import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow.api_fastapi.app import AUTH_MANAGER_FASTAPI_APP_PREFIX, get_cookie_path
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN, BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.common.types import MenuItem
from airflow.api_fastapi.core_api.security import is_safe_url
from airflow.configuration import conf
from airflow.models.log import Log
from airflow.utils.session import create_session
from anyio import to_thread
from fastapi import FastAPI
from jwt import ExpiredSignatureError
from starlette.requests import Request
from starlette.responses import Response

from minhu.airflow_users import door
from minhu.airflow_users.rights import FRESH, may, may_enter
from minhu.database import people
from minhu.database.sign_on import Provider
from minhu.services.airflow_api import ACCOUNT
from minhu.settings import Settings

MENU = {
    MenuItem.REQUIRED_ACTIONS: "HITL_DETAIL",
    MenuItem.ASSETS: "ASSET",
    MenuItem.AUDIT_LOG: "AUDIT_LOG",
    MenuItem.CONFIG: "CONFIGURATION",
    MenuItem.CONNECTIONS: "CONNECTION",
    MenuItem.DAGS: "DAG",
    MenuItem.DEADLINES: "RUN",
    MenuItem.DOCS: "DOCS",
    MenuItem.JOBS: "JOBS",
    MenuItem.PLUGINS: "AUDIT_LOG",  # everybody's page asks for the plugins; the list of them is for who looks inside
    MenuItem.POOLS: "POOL",
    MenuItem.PROVIDERS: "PROVIDERS",
    MenuItem.VARIABLES: "VARIABLE",
    MenuItem.XCOMS: "XCOM",
}


class Person(BaseUser):
    """A login of the database, and the groups it has now. Airflow's own log knows it by the name of the login."""

    def __init__(self, name: str, groups: frozenset[str] = frozenset()):
        self.name, self.groups = name, groups

    def get_id(self) -> str:
        return self.name

    def get_name(self) -> str:
        return self.name


class Manager(BaseAuthManager[Person]):
    """Named by ``[core] auth_manager``. Keeps no users, no passwords and no tables."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = Settings.from_env()
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    # Who it is

    def serialize_user(self, user: Person) -> dict[str, Any]:
        return {"sub": user.name}

    def deserialize_user(self, token: dict[str, Any]) -> Person:
        return Person(token["sub"])

    async def get_user_from_token(self, token: str) -> Person:
        """As everybody's, of a login that stands. Else the session has ended, and Airflow sends to the login page."""
        claimed = await super().get_user_from_token(token)
        groups = await self._groups_now(claimed.get_id())
        if not may_enter(groups):
            raise ExpiredSignatureError("this login may not enter, or no longer")
        return Person(claimed.get_id(), groups)

    async def _groups_now(self, name: str) -> frozenset[str]:
        if name == ACCOUNT:
            return frozenset({"engineer"})
        at, groups = self._known.get(name, (0.0, frozenset()))
        if not at or time.monotonic() - at > FRESH:
            groups = await to_thread.run_sync(people.groups_of, self._settings, name)
            self._known[name] = time.monotonic(), groups
        return groups

    # What he may

    def is_authorized_dag(self, *, method: Any, user: Person, access_entity: Any = None, details: Any = None) -> bool:
        return may(user.groups, str(method), access_entity.name if access_entity else "DAG")

    def is_authorized_asset(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "ASSET")

    def is_authorized_asset_alias(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "ASSET")

    def is_authorized_pool(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "POOL")

    def is_authorized_connection(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "CONNECTION")

    def is_authorized_variable(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "VARIABLE")

    def is_authorized_configuration(self, *, method: Any, user: Person, details: Any = None) -> bool:
        return may(user.groups, str(method), "CONFIGURATION")

    def is_authorized_view(self, *, access_view: Any, user: Person) -> bool:
        return may(user.groups, "GET", access_view.name)

    def is_authorized_custom_view(self, *, method: Any, resource_name: str, user: Person) -> bool:
        return may(user.groups, str(method), "WEBSITE")

    def filter_authorized_menu_items(self, menu_items: list[MenuItem], *, user: Person) -> list[MenuItem]:
        return [item for item in menu_items if may(user.groups, "MENU", MENU.get(item, ""))]

    # How he comes in

    def get_url_login(self, **kwargs: Any) -> str:
        page, target = f"{AUTH_MANAGER_FASTAPI_APP_PREFIX}/login", kwargs.get("next_url")
        return f"{page}?{urlencode({'next': target})}" if target else page

    def get_fastapi_app(self) -> FastAPI:
        return door.app(
            door.Hall(
                settings=self._settings,
                token=self._token,
                let_in=self._let_in,
                is_ours=lambda target, request: is_safe_url(target, request=request),
                log=_log,
                home=get_cookie_path(),
                base=_base(),
                provider=Provider.from_env(),
                secret=conf.get("api", "secret_key"),
            )
        )

    def _token(self, name: str, *, of_cli: bool = False) -> str:
        option = "jwt_cli_expiration_time" if of_cli else "jwt_expiration_time"
        return self.generate_jwt(Person(name), expiration_time_in_seconds=conf.getint("api_auth", option))

    def _let_in(self, answer: Response, name: str, request: Request) -> None:
        """Gives the browser its session. Where a proxy has ended TLS, the address that we go by says so."""
        self._known.pop(name, None)
        answer.set_cookie(
            COOKIE_NAME_JWT_TOKEN,
            self._token(name),
            path=get_cookie_path(),
            secure="https" in (request.base_url.scheme, urlsplit(_base()).scheme),
            httponly=True,
            samesite="lax",
        )


def _base() -> str:
    """Where people find Airflow."""
    return conf.get("api", "base_url", fallback="") or "/"


def _log(event: str, name: str, place: str) -> None:
    """Into Airflow's own log of events, beside what is done there later."""
    with create_session() as session:
        session.add(Log(event, owner=name, owner_display_name=name, extra=place))
