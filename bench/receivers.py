"""Whom incidents are told: a mail server and a web server on loopback that keep what they are handed."""

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

LINE = re.compile(r"^\d+\. 【[^·】]+·[^】]+】", re.MULTILINE)


class Letters:
    """Takes what the mail server is handed; ``answer``: what it says to that."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answer = "250 taken"
        self.port = 0

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.taken.append(BytesParser(EmailMessage, policy=default).parsebytes(envelope.content))
        return self.answer

    def recipient(self, name: str, role: str, **more: object) -> dict:
        """A recipient of `city.yml` who is reached here."""
        by = {"type": "mail", "server": "127.0.0.1", "port": self.port, "security": "none"}
        by |= {"sender": "minhu@city.example", "to": ["ops@city.example"]}
        return {"name": name, "role": role, "by": by} | more

    def lines(self) -> int:
        """How many steps of incidents were told, a letter that came twice counted once."""
        letters = {str(letter["Message-ID"]): letter for letter in list(self.taken)}
        return sum(len(LINE.findall(text(letter))) for letter in letters.values())


def text(letter: EmailMessage) -> str:
    return letter.get_content().replace("\r\n", "\n")


@contextmanager
def mail() -> Iterator[Letters]:
    letters = Letters()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        letters.port = free.getsockname()[1]
    server = Controller(letters, hostname="127.0.0.1", port=letters.port)
    server.start()
    try:
        yield letters
    finally:
        server.stop()


@dataclass
class Hook:
    """What came to the web server: the body of each message by its key."""

    url: str
    taken: dict[str, dict] = field(default_factory=dict)
    posts: int = 0

    def recipient(self, name: str, role: str, secret: str, **more: object) -> dict:
        return {"name": name, "role": role, "by": {"type": "webhook", "url": self.url, "secret": secret}} | more

    def steps(self) -> Counter[tuple[int, str]]:
        """How often each step of each incident was told, a message that came twice counted once."""
        told = [one for body in list(self.taken.values()) for one in body.get("incidents", ())]
        return Counter((one["incident_id"], one["step"]) for one in told)


@contextmanager
def web() -> Iterator[tuple[Hook, threading.Event]]:
    """A server that takes what is posted; to whom GETs it it says nothing until the event is set."""
    ends, hook = threading.Event(), Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.posts += 1
            hook.taken[body["key"]] = body
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:
            ends.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hook, ends
    finally:
        ends.set()
        server.shutdown()
        server.server_close()
