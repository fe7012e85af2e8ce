"""POSTs: JSON to a program, signed; and the forms that the bots of group chats take."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import quote_plus

import httpx

from minhu.config.notify import Chat
from minhu.config.witnesses import Webhook
from minhu.errors import Refused, foreign
from minhu.feeds.sources import HmacSigned
from minhu.feeds.sources.http import Signed, shown
from minhu.feeds.sources.secrets import secret

SECONDS = 20
MOST_BYTES = {"dingtalk": 18_000, "wecom": 4_000, "feishu": 18_000}
"""What a bot takes of text: WeCom 4,096 bytes of markdown, the others some 20,000 of the whole request."""


def post(by: Webhook, told: dict[str, object]) -> None:
    """Raises Retryable while it is away, Refused where it does not take it."""
    _post(
        by.url,
        shown(httpx.URL(by.url)),
        told,
        auth=Signed(HmacSigned(type="hmac", secret=by.secret), secret(by.secret)),
    )


def chat(by: Chat, subject: str, text: str) -> None:
    """To the bot of a group chat. Raises as `post`, and Refused with what the bot answers."""
    url, key = secret(by.address), secret(by.secret) if by.secret else None
    url, body = _FORMS[by.type](url, key, subject, cut(text, MOST_BYTES[by.type]))
    where = httpx.URL(url).host  # the rest of the address is as good as a password
    answer = _post(url, where, body)
    try:
        told = answer.json()
    except ValueError:
        raise Refused(f"{where} is no bot of {by.type}: it answers no JSON") from None
    if code := told.get("errcode", told.get("code", 0)):
        raise Refused(f"{where} did not take it ({code}: {str(told.get('errmsg', told.get('msg', '')))[:200]})")


def cut(text: str, most: int) -> str:
    """``text`` in at most so many bytes, whole lines; the last line says how many are left out."""
    if len(text.encode()) <= most:
        return text
    lines, kept, size = text.splitlines(), [], 100
    for line in lines:
        size += len(line.encode()) + 1
        if size > most:
            break
        kept.append(line)
    return "\n".join([*kept, f"……另有 {len(lines) - len(kept)} 行未列出，见 minhu incidents list"])


def _post(url: str, where: str, told: dict, auth: httpx.Auth | None = None) -> httpx.Response:
    body = json.dumps(told, ensure_ascii=False).encode()
    with foreign.told("send: http", where=where):
        answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"}, auth=auth, timeout=SECONDS)
    if not answer.is_success:
        raise Refused(f"{where} answered {answer.status_code}")
    return answer


def _dingtalk(url: str, key: str | None, subject: str, text: str) -> tuple[str, dict]:
    if key:
        now = str(round(time.time() * 1000))
        signed = _signature(key.encode(), f"{now}\n{key}".encode())
        url += f"{'&' if '?' in url else '?'}timestamp={now}&sign={quote_plus(signed)}"
    lines = text.replace("\n", "\n\n")  # one line feed is none in its markdown
    return url, {"msgtype": "markdown", "markdown": {"title": subject, "text": f"**{subject}**\n\n{lines}"}}


def _wecom(url: str, key: str | None, subject: str, text: str) -> tuple[str, dict]:
    return url, {"msgtype": "markdown", "markdown": {"content": f"**{subject}**\n{text}"}}


def _feishu(url: str, key: str | None, subject: str, text: str) -> tuple[str, dict]:
    body: dict = {"msg_type": "text", "content": {"text": f"{subject}\n{text}"}}
    if key:
        now = str(int(time.time()))
        body |= {"timestamp": now, "sign": _signature(f"{now}\n{key}".encode(), b"")}
    return url, body


def _signature(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


_FORMS: dict[str, Callable[[str, str | None, str, str], tuple[str, dict]]] = {
    "dingtalk": _dingtalk,
    "wecom": _wecom,
    "feishu": _feishu,
}
