"""``notify`` of ``city.yml``: who is told of faults, how, when not, and when the day is summed up."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from minhu.config.witnesses import Mail, Webhook
from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.sources import SecretName

_Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]{1,100}$", strip_whitespace=True)]
_Time = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Role = Literal["engineer", "evaluator", "auditor", "owner"]


class Chat(Declared):
    """A bot of a group chat. Its URL is a secret: whoever has it can write there."""

    type: Literal["dingtalk", "wecom", "feishu"]
    address: SecretName
    """The name of the secret that holds the URL."""
    secret: SecretName | None = None
    """The name of the key that signs, where the bot asks for a signature (加签); WeCom's does not."""

    @property
    def sent_to(self) -> str:
        return self.type


class Recipient(Declared):
    """Who is told of what: an engineer of every fault; an evaluator of what waits for a decision, of gates and of what
    is missing; an auditor of what is held or refused and of gates; an owner of the deliveries of his ``feeds``.
    """

    name: _Line
    role: Role
    feeds: tuple[str, ...] = ()
    """Only of these feeds; of all unless given."""
    digest: bool = True
    """Whether the daily digest goes there."""
    by: Annotated[Mail | Webhook | Chat, Field(discriminator="type")]

    @model_validator(mode="after")
    def _an_owner_owns(self) -> "Recipient":
        if self.role == "owner" and not self.feeds:
            raise Wrong("an owner is told of his feeds: name them", "owner 只收自己热线的提醒：写出 feeds", "feeds")
        return self


class Notify(Declared):
    """Times are the city's."""

    recipients: tuple[Recipient, ...] = ()
    quiet: tuple[_Time, _Time] | None = None
    """From the first to the second time of day only what is urgent is told; the rest is told when it ends."""
    reminder_minutes: Annotated[int, Field(ge=1)] = 240
    """A fault that stands so long after it was told is told once more,"""
    last_minutes: Annotated[int, Field(ge=1)] = 1440
    """and after so long a last time."""
    digest_at: _Time = "08:30"

    @model_validator(mode="after")
    def _names_and_order(self) -> "Notify":
        names = [one.name for one in self.recipients]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Wrong(f"two recipients are called {twice}", f"有两个接收人都叫 {twice}", "recipients")
        if self.last_minutes <= self.reminder_minutes:
            raise Wrong("last_minutes is not after reminder_minutes", "last_minutes 要晚于 reminder_minutes")
        return self
