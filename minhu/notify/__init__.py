"""Sends messages to people: by mail, to a group chat, or to a program. Knows nothing of what they tell."""

from minhu.notify.message import Message, Refusal, send

__all__ = ["Message", "Refusal", "send"]
