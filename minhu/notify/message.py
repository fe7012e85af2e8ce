"""One message to one recipient, whatever way it takes."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from minhu.config.notify import Chat, Recipient
from minhu.config.witnesses import Mail, Webhook
from minhu.errors import MinhuError
from minhu.notify.mail import mail
from minhu.notify.web import chat, post


@dataclass(frozen=True)
class Message:
    """``key``: names it, so that a second sending can be told from another message. ``data``: for programs."""

    key: str
    subject: str
    text: str
    at: datetime
    data: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """Why a message was not taken, in words."""

    words: str


def send(recipient: Recipient, message: Message) -> Refusal | None:
    """Sends once; null where it was taken."""
    try:
        match recipient.by:
            case Mail():
                mail(recipient.by, _letter(recipient.by, message))
            case Webhook():
                post(
                    recipient.by, {"key": message.key, "subject": message.subject, "text": message.text} | message.data
                )
            case Chat():
                chat(recipient.by, message.subject, message.text)
    except MinhuError as error:
        return Refusal(str(error))
    return None


def _letter(by: Mail, message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"], letter["To"] = by.sender, ", ".join(by.to)
    letter["Date"] = format_datetime(message.at)
    letter["Message-ID"] = f"<{message.key}@{by.sender.partition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text + "\n", cte="quoted-printable")
    return letter
