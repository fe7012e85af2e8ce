"""An HTTP server that does what it is told, also when that is wrong."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """What the server says. ``claims``: bytes promised beyond those sent; ``stalls``: seconds before the body.

    ``drips``: seconds between one byte of the body and the next; ``drips_head``: of the head.
    """

    body: bytes | str | list | dict = b""
    status: int = 200
    type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    claims: int = 0
    stalls: float = 0
    drips: float = 0
    drips_head: float = 0

    @property
    def data(self) -> bytes:
        if isinstance(self.body, list | dict):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    raw_path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Web:
    """``answer`` is called with each request, or is a list of answers given in turn, the last one for ever."""

    def __init__(self):
        self.answer: Callable[[Asked], Answer] | list[Answer] = [Answer([])]
        self.asked: list[Asked] = []
        self.protocol = "HTTP/1.0"
        """With 1.1 a connection serves one request after the other."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Web":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if callable(self.answer):
            return self.answer(asked)
        return self.answer[min(len(self.asked), len(self.answer)) - 1]

    def _handler(web) -> type:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = property(lambda self: web.protocol)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                params = dict(parse_qsl(parts.query))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._send(web._reply(Asked(self.command, parts.path, self.path, params, headers, body)))

            do_POST = do_GET

            def _send(self, answer: Answer) -> None:
                if answer.drips_head:
                    self._drip(b"HTTP/1.0 200 OK\r\nX-Slow: " + b"a" * 1000, answer.drips_head)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.type:
                    self.send_header("Content-Type", answer.type)
                if answer.drips:  # ends with the connection: a cut looks like an end
                    self.send_header("Connection", "close")
                else:
                    self.send_header("Content-Length", str(len(answer.data) + answer.claims))
                self.end_headers()
                time.sleep(answer.stalls)
                if answer.drips:
                    self._drip(answer.data, answer.drips)
                    return
                try:
                    self.wfile.write(answer.data)
                except OSError:
                    return  # the client had enough

            def _drip(self, data: bytes, seconds: float) -> None:
                try:
                    for at in range(len(data)):
                        self.wfile.write(data[at : at + 1])
                        self.wfile.flush()
                        time.sleep(seconds)
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                pass

        return Handler
