"""The API's own pages: what can be asked, from the description that programs read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from starlette.responses import Response

from minhu.portal.api.app import PREFIX, api
from minhu.portal.asking import Ask
from minhu.portal.desk import Desk


@dataclass(frozen=True)
class Asked:
    """One address and method. ``given``: name, where it stands, whether it must be, what it is."""

    tag: str
    method: str
    path: str
    what: str
    given: tuple[tuple[str, str, bool, str], ...]
    example: str | None


def manual(ask: Ask) -> Response:
    base = str(ask.request.base_url).rstrip("/")
    every = _every(ask.desk)
    tags = list(dict.fromkeys(one.tag for one in every))
    return ask.page("manual.html", asked={tag: [one for one in every if one.tag == tag] for tag in tags}, base=base)


@cache
def _every(desk: Desk) -> tuple[Asked, ...]:
    return tuple(_read(api(desk).openapi()))


def _read(told: dict) -> Iterator[Asked]:
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            given = tuple(
                (part["name"], part["in"], part["required"], part.get("description", ""))
                for part in one.get("parameters", ())
            )
            yield Asked(
                one["tags"][0], method.upper(), f"{PREFIX}{path}", one["description"], given, _example(path, one)
            )


def _example(path: str, one: dict) -> str | None:
    """The address with its examples filled in; None where a part has none."""
    query = []
    for part in one.get("parameters", ()):
        shape = part.get("schema", {})
        example = next((told for told in shape.get("examples", ()) if told is not None), None)
        if part["in"] == "path":
            if example is None:
                return None
            path = path.replace(f"{{{part['name']}}}", str(example))
        elif part["required"] and example is not None:
            query.append(f"{part['name']}={example}")
    return f"{PREFIX}{path}{'?' if query else ''}{'&'.join(query)}"
