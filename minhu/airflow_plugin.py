"""What Airflow tells of its API without a login, its pages for developers, it tells only with one."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

PLACES = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")


class BehindTheLogin:
    """ASGI middleware: `PLACES`, those of mounted applications too, are for who has logged in; others hear 401."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith(PLACES) and not await _is_logged_in(scope):
            from starlette.responses import PlainTextResponse

            answer = PlainTextResponse("请先登录 log in first\n", 401, {"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
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


class Minhu(AirflowPlugin):
    """Found by the entry point of the package."""

    name = "minhu"
    fastapi_root_middlewares = [  # noqa: RUF012 - as Airflow declares it
        {"name": "behind the login", "middleware": BehindTheLogin}
    ]
