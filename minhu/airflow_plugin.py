"""What Airflow loads of us: its pages for developers behind the login, and the way from a task to its batches."""

import os
from typing import Any
from urllib.parse import quote

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

PLACES = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")


class BehindTheLogin:
    """ASGI middleware: `PLACES`, those of mounted applications too, are for who has logged in; others hear 401."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith(PLACES) and not await _is_logged_in(scope):
            await _refuse(scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def _is_logged_in(scope: Any) -> bool:
    # Here: every process of Airflow loads plugins, the API server alone needs these.
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.core_api.security import resolve_user_from_token
    from fastapi import HTTPException
    from starlette.requests import Request

    request = Request(scope)
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        await resolve_user_from_token(token if kind.lower() == "bearer" else request.cookies.get(COOKIE_NAME_JWT_TOKEN))
    except HTTPException:
        return False
    return True


class Account(BaseOperatorLink):
    """From a task to what became of it: the deliveries of its feed, or the builds."""

    name = "批次与处置"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        dag_id = ti_key.dag_id
        page = f"feeds/{quote(dag_id.removeprefix('feed_'))}" if dag_id.startswith("feed_") else "builds"
        portal = os.environ.get("MINHU_PORTAL_URL", "").rstrip("/")
        return f"{portal or '/minhu'}/{page}"


class Pages:
    """ASGI: `minhu.airflow_pages` for who has logged in. Made when the first one asks: other processes need none."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not await _is_logged_in(scope):
            await _refuse(scope, receive, send)
            return
        if self._app is None:
            from minhu.airflow_pages import app

            self._app = app()
        await self._app(scope, receive, send)


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    from starlette.responses import PlainTextResponse

    answer = PlainTextResponse("请先登录 log in first\n", 401, {"WWW-Authenticate": "Bearer"})
    await answer(scope, receive, send)


class Minhu(AirflowPlugin):
    """Found by the entry point of the package."""

    name = "minhu"
    global_operator_extra_links = [Account()]  # noqa: RUF012 - as Airflow declares it
    fastapi_apps = [{"name": "minhu", "app": Pages(), "url_prefix": "/minhu"}]  # noqa: RUF012 - likewise
    fastapi_root_middlewares = [  # noqa: RUF012 - as Airflow declares it
        {"name": "behind the login", "middleware": BehindTheLogin}
    ]
