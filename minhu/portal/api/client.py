"""A client for programs in Python, written from the API's own description: one file, nothing but the standard library.

What is asked and answered is typed; a list gives its rows one by one, page after page.
"""

from collections.abc import Iterator, Mapping
from typing import Any

PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_HEAD = '''"""民呼 for programs: {title} {version}. Written from the description of the API; do not edit, take it anew.

    from minhu_client import Minhu

    minhu = Minhu("{server}", key)
    for score in minhu.scores("linan", "2026-09"):
        print(score["unit_name"], score["score_100"])
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict, cast


class Refused(Exception):
    """What was asked is not answered: ``status``, ``code``, and why, in English and, where there is one, in Chinese."""

    def __init__(self, status: int, told: dict[str, Any]) -> None:
        super().__init__(told.get("detail") or told.get("title") or str(status))
        self.status, self.code = status, str(told.get("code", ""))
        self.detail_zh, self.number = told.get("detail_zh"), told.get("instance")

'''
_ASKING = '''
class Minhu:
    """One installation, asked with one key. ``patience``: seconds that an answer may take.

    A list gives all its rows; ``limit`` says how many are fetched at a time.
    """

    def __init__(self, address: str, key: str, *, patience: float = 60) -> None:
        self._address, self._key, self._patience = address.rstrip("/") + "{server}", key, patience

    def _ask(
        self, method: str, path: str, asked: dict[str, Any] | None = None, body: object = None
    ) -> bytes:
        """Raises Refused. Where there are too many questions it waits as it is told to, up to 30 s, twice."""
        told = {{name: value for name, value in (asked or {{}}).items() if value is not None}}
        url = self._address + path + (f"?{{urllib.parse.urlencode(told)}}" if told else "")
        headers = {{"Authorization": f"Bearer {{self._key}}", "Accept": "application/json"}}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        for left in (2, 1, 0):
            request = urllib.request.Request(url, sent, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=self._patience) as answer:
                    return cast(bytes, answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    if error.code == 429 and left:
                        told_to = error.headers.get("Retry-After") or "1"
                        time.sleep(min(30.0, float(told_to)) if told_to.isdigit() else 1)
                        continue
                    text = error.read()
                try:
                    raise Refused(error.code, json.loads(text)) from None
                except ValueError:
                    raise Refused(error.code, {{}}) from None
        raise AssertionError  # the last of three is answered or refused

    def _rows(self, path: str, asked: dict[str, Any]) -> Iterator[Any]:
        while True:
            page = json.loads(self._ask("GET", path, asked))
            yield from page["items"]
            if page["next"] is None:
                return
            asked = asked | {{"after": page["next"]}}
'''


def client(told: Mapping[str, Any]) -> str:
    """The module's text, from the OpenAPI description ``told``."""
    schemas = told["components"]["schemas"]
    server = told["servers"][0]["url"]
    head = _HEAD.format(title=told["info"]["title"], version=told["info"]["version"], server="http://127.0.0.1:8601")
    rows = (_row(name, one) for name, one in schemas.items() if not _is_page(name))
    asked = (
        line
        for path, methods in told["paths"].items()
        for method, one in methods.items()
        for line in _method(path, method, one)
    )
    return "\n".join([head, *rows, _ASKING.format(server=server), *asked]).rstrip() + "\n"


def _is_page(name: str) -> bool:
    return name.startswith("Page_")


def _row(name: str, schema: Mapping[str, Any]) -> str:
    """What is told as one object."""
    needed = schema.get("required", ())
    lines = [f"\nclass {name}(TypedDict):"]
    if about := schema.get("description"):
        lines.append(f"    {_doc(about)}\n")
    for field, shape in schema["properties"].items():
        kind = _type(shape)
        lines.append(f"    {field}: {kind if field in needed else f'NotRequired[{kind}]'}")
    return "\n".join(lines) + "\n"


def _type(shape: Mapping[str, Any]) -> str:
    match shape:
        case {"$ref": str(place)}:
            return place.rsplit("/", 1)[1]
        case {"anyOf": several}:
            return " | ".join(dict.fromkeys(map(_type, several)))
        case {"enum": several}:
            return f"Literal[{', '.join(map(repr, several))}]"
        case {"type": "array", "items": one}:
            return f"list[{_type(one)}]"
        case {"type": "array"}:
            return "list[Any]"
        case {"type": "object", "additionalProperties": dict() as one}:
            return f"dict[str, {_type(one)}]"
        case {"type": "object"}:
            return "dict[str, Any]"
        case {"type": str(kind)}:
            return PLAIN[kind]
    return "Any"


def _method(path: str, method: str, one: Mapping[str, Any]) -> Iterator[str]:
    given = [of for of in one.get("parameters", ()) if of["name"] != "after"]
    must = [of for of in given if of.get("required")]
    may = [of for of in given if not of.get("required")]
    sent = one.get("requestBody", {}).get("content", {})
    body = sent.get("application/json", {}).get("schema")
    octets = "application/octet-stream" in sent
    words = ["self", *(f"{of['name']}: {_type(of['schema'])}" for of in must)]
    words += [f"body: {'bytes' if octets else _type(body)}"] if body or octets else []
    words += ["*"] if may else []
    words += [f"{of['name']}: {_may(of)} = None" for of in may]
    [done] = [answer for code, answer in one["responses"].items() if code.startswith("2")]
    shape = done.get("content", {}).get("application/json", {}).get("schema")
    page = _page_of(shape)
    kind = f"Iterator[{page}]" if page else _type(shape) if shape else "bytes" if done.get("content") else "None"
    if "text/markdown" in done.get("content", {}):
        kind = "str"
    texts = {of["name"] for of in must if of["in"] == "path" and of["schema"].get("type") == "string"}
    place = "".join(
        f"{{urllib.parse.quote({part[1:-1]}, safe='')}}" if part[1:-1] in texts else part for part in _parts(path)
    )
    at = f'f"{place}"' if "{" in place else f'"{place}"'
    asked = ", ".join(f'"{of["name"]}": {of["name"]}' for of in given if of["in"] == "query")
    yield f"\n    def {one['operationId']}({', '.join(words)}) -> {kind}:"
    yield f"        {_doc(one['description'])}"
    call = f'self._ask("{method.upper()}", {at}, {{{asked}}}{", body" if body or octets else ""})'
    if page:
        yield f"        return self._rows({at}, {{{asked}}})"
    elif kind == "None":
        yield f"        {call}"
    elif kind == "bytes":
        yield f"        return {call}"
    elif kind == "str":
        yield f"        return {call}.decode()"
    else:
        yield f"        return cast({kind}, json.loads({call}))"


def _page_of(shape: Mapping[str, Any] | None) -> str | None:
    """What the rows of a page are."""
    name = (shape or {}).get("$ref", "").rsplit("/", 1)[-1]
    return name.removeprefix("Page_").removesuffix("_") if _is_page(name) else None


def _may(of: Mapping[str, Any]) -> str:
    kind = _type(of["schema"])
    return kind if "None" in kind else f"{kind} | None"


def _parts(path: str) -> Iterator[str]:
    """``/feeds/{code}/x`` in parts: text, ``{code}``, text."""
    for number, part in enumerate(path.replace("}", "{").split("{")):
        yield f"{{{part}}}" if number % 2 else part


def _doc(text: str) -> str:
    told = " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{told}{" " if told.endswith(chr(34)) else ""}"""'
