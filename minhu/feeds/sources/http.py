"""The HTTP that every source on it shares: one answer, whole and read, or an error that says what to do.

Tries again what may pass: a server away or busy (5xx, 429), a stall, half a body. Redirects are not followed and pages
of another server are not fetched, so that a secret never travels to where it was not declared to go. Messages show an
address without its query, where a key may stand.
"""

import base64
import hashlib
import hmac
import logging
import random
import socket
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from minhu.errors import BadDelivery, Refused, Retryable, SourceAway, foreign
from minhu.feeds.sources import ApiKey, Basic, Bearer, HmacSigned, Http
from minhu.feeds.sources.deadline import deadline, shut
from minhu.feeds.sources.secrets import secret

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs addresses with their query
sleep = time.sleep  # tests replace it

Parsed = TypeVar("Parsed")
_BUSY = (408, 425, 429)


class Unreadable(Exception):
    """The body is not what it says it is: perhaps cut short, so it is asked for again."""

    def __init__(self, why: str, code: str = "UNREADABLE"):
        super().__init__(why)
        self.code = code


class _Again(Exception):
    def __init__(self, why: str, wait: float | None = None):
        super().__init__(why)
        self.wait = wait


class Connection:
    """A client for one declared source. Use it in ``with``."""

    def __init__(self, source: Http, address: str):
        self.source, self.address = source, httpx.URL(address)
        timeout = httpx.Timeout(source.read_seconds, connect=source.connect_seconds)
        self._client = httpx.Client(timeout=timeout, auth=_auth(source), headers=source.headers)
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self, url: str, params: dict[str, str], parse: Callable[[bytes], Parsed], method: str = "GET"
    ) -> tuple[Parsed, httpx.Headers]:
        """The parsed answer and its headers. Raises Retryable, Refused or BadDelivery."""
        request = self._request(url, params, method)
        for attempt in range(1, self.source.attempts + 1):
            try:
                return self._once(request, parse)
            except (httpx.TransportError, _Again, Unreadable) as error:
                self._wait_or_give_up(error, attempt, shown(request.url))
        raise AssertionError("the last attempt returns or raises")

    def _request(self, url: str, params: dict[str, str], method: str) -> httpx.Request:
        target = self.address.join(url)
        if (target.scheme, target.netloc) != (self.address.scheme, self.address.netloc):
            raise Refused(f"{shown(self.address)} sends on to another server, {target.host}: declare that one if right")
        if method == "POST":
            return self._client.build_request("POST", target, json=params)
        return self._client.build_request("GET", target.copy_merge_params(params))

    def _once(self, request: httpx.Request, parse: Callable[[bytes], Parsed]) -> tuple[Parsed, httpx.Headers]:
        too_long = _Again(f"the answer took more than {self.source.response_seconds:g} s")
        with deadline(self.source.response_seconds, lambda: shut(self._socket)) as has_passed:
            request.extensions = request.extensions | {"trace": self._connected}
            try:
                body, headers = self._answer(request)
            except httpx.TransportError:
                if has_passed.is_set():
                    raise too_long from None
                raise
            if has_passed.is_set():  # what ended with the connection is no whole answer
                raise too_long
        return parse(body), headers

    def _connected(self, event: str, told: dict) -> None:
        """Keeps the socket in use: of several requests on one connection only the first connects."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = told["return_value"].get_extra_info("socket")

    def _answer(self, request: httpx.Request) -> tuple[bytes, httpx.Headers]:
        response = self._client.send(request, stream=True)
        try:
            _judge_status(response, self.source)
            _judge_content_type(response, self.source)
            return self._body(response), response.headers
        except httpx.DecodingError:
            raise Unreadable("its compression is broken") from None
        finally:
            response.close()

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self.source.max_response_mb * 1_000_000:
                raise Refused(
                    f"{shown(response.url)} answers more than {self.source.max_response_mb:g} MB;"
                    " ask for smaller pages, or raise max_response_mb"
                )
        return bytes(body)

    def _wait_or_give_up(self, error: Exception, attempt: int, where: str) -> None:
        source = self.source
        if attempt == source.attempts:
            if isinstance(error, Unreadable):
                raise BadDelivery(error.code, f"{where} answers what cannot be read: {error}") from None
            if isinstance(error, _Again):
                raise SourceAway(f"{where}: {error}, {attempt} times") from None
            raise foreign.as_ours(error, "http", where=where, times=attempt) or error from None
        wait = getattr(error, "wait", None)
        if wait is not None and wait > source.max_wait_seconds:
            raise Retryable(f"{where} asks to be left in peace for {wait:g} s") from None
        longest = min(source.backoff_seconds * 2 ** (attempt - 1), source.max_wait_seconds)
        sleep(wait if wait is not None else longest * random.uniform(0.5, 1))  # noqa: S311 - jitter


def shown(url: httpx.URL) -> str:
    """An address as messages show it: without user, password and query."""
    return f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}{url.path}"


def _judge_status(response: httpx.Response, source: Http) -> None:
    status, where = response.status_code, shown(response.url)
    if status in _BUSY or status >= 500:
        raise _Again(f"answered {status}", _retry_after(response.headers.get("retry-after")))
    if status in (401, 403):
        named = f"; look at the secret {source.auth.secret!r}" if source.auth else "; declare `auth`"
        raise Refused(f"{where} answered {status}: it does not let us in{named}")
    if status in range(300, 400):
        raise Refused(f"{where} answered {status}: it has moved; declare its new address")
    if status != 200:
        raise Refused(f"{where} answered {status}; look at the declared address and parameters")


def _retry_after(value: str | None) -> float | None:
    """Seconds, of a number or an HTTP date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _judge_content_type(response: httpx.Response, source: Http) -> None:
    told = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    fits = told in source.content_types if source.content_types else not told or source.format in told
    if not fits:
        wanted = " or ".join(source.content_types) or source.format
        raise BadDelivery("WRONG_CONTENT_TYPE", f"{shown(response.url)} answers {told}, not {wanted}")


def _auth(source: Http) -> httpx.Auth | Callable | None:
    match source.auth:
        case None:
            return None
        case Bearer(secret=name):
            return _Headers({"Authorization": f"Bearer {secret(name)}"})
        case Basic(user=user, secret=name):
            return httpx.BasicAuth(user.encode(), secret(name).encode())
        case ApiKey(secret=name, param=None, header=header):
            return _Headers({header: secret(name)})
        case ApiKey(secret=name, param=str(param)):
            return _Param(param, secret(name))
        case HmacSigned():
            return Signed(source.auth, secret(source.auth.secret))
    raise AssertionError(source.auth)


class _Headers(httpx.Auth):
    def __init__(self, headers: dict[str, str]):
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._headers)
        yield request


class _Param(httpx.Auth):
    def __init__(self, param: str, value: str):
        self._param, self._value = param, value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = request.url.copy_set_param(self._param, self._value)
        yield request


class Signed(httpx.Auth):
    """Signs each attempt afresh: its timestamp is part of what is signed."""

    requires_request_body = True

    def __init__(self, declared: HmacSigned, key: str):
        self._declared, self._key = declared, key.encode()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        declared, timestamp = self._declared, str(int(time.time()))
        body = hashlib.sha256(request.content).hexdigest()
        text = "\n".join([request.method, request.url.raw_path.decode(), timestamp, body])
        signature = hmac.new(self._key, text.encode(), declared.algorithm).digest()
        told = signature.hex() if declared.encoding == "hex" else base64.b64encode(signature).decode()
        request.headers.update({declared.timestamp_header: timestamp, declared.signature_header: told})
        if declared.key_id:
            request.headers[declared.key_header] = declared.key_id
        yield request
