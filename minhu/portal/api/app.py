"""The application that programs ask, of one installation."""

from fastapi import FastAPI
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from minhu.portal.api import calling, routes
from minhu.portal.api.client import client
from minhu.portal.desk import Desk

PREFIX = "/api/v1"
ABOUT = """民呼 for programs: published scores with their evidence, cases, deliveries, findings, appeals and decisions.

Send a key as `Authorization: Bearer …`. Lists take `limit` and `after`, and answer JSON, CSV or XLSX by `Accept`; what
rests on a release carries an `ETag`. Numbers with decimals are strings. What is wrong is told as RFC 9457, in both
languages. What a key may, the database decides: it is its person's rights, and no act unless the key may decide."""


def api(desk: Desk) -> FastAPI:
    app = FastAPI(
        title="minhu 民呼",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        servers=[{"url": PREFIX}],
        exception_handlers=calling.HANDLERS,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.desk = desk
    app.state.buckets = calling.Buckets()
    app.include_router(routes.router)

    @app.middleware("http")
    async def numbered(request: Request, following: RequestResponseEndpoint) -> Response:
        answer = await following(request)
        answer.headers[calling.NUMBER] = calling.number_of(request)
        return answer

    @app.get("/client.py", include_in_schema=False)
    def of_python() -> Response:
        """A client in one file, for whoever looks: it holds nothing but what the description says."""
        return Response(client(app.openapi()), media_type="text/x-python; charset=utf-8")

    made = app.openapi

    def described() -> dict:
        told = made()
        told.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        told["security"] = [{"key": []}]
        return told

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI says to extend it
    return app
