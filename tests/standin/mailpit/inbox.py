"""The messages received, in memory, newest first."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any


@dataclass(frozen=True)
class Message:
    key: str
    received: str
    recipients: list[str]
    content: EmailMessage
    size: int

    def summary(self) -> dict[str, Any]:
        name, address = parseaddr(self.content.get("From", ""))
        return {
            "ID": self.key,
            "From": {"Name": name, "Address": address},
            "To": [{"Name": "", "Address": recipient} for recipient in self.recipients],
            "Subject": self.content.get("Subject", ""),
            "Created": self.received,
            "Size": self.size,
            "Snippet": self.text()[:250],
        }

    def text(self) -> str:
        return self._part("plain")

    def html(self) -> str:
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self.content.get_body((subtype,))
        return str(part.get_content()) if part else ""


class Inbox:
    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._lock = threading.Lock()

    def add(self, recipients: list[str], raw: bytes) -> None:
        content = message_from_bytes(raw, policy=policy.default)
        received = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._lock:
            self._messages.insert(0, Message(secrets.token_hex(11), received, recipients, content, len(raw)))

    def all(self) -> list[Message]:
        return list(self._messages)

    def find(self, key: str) -> Message | None:
        """By id; `latest` is the newest."""
        return next((message for message in self.all() if key in {message.key, "latest"}), None)

    def delete(self, keys: list[str]) -> None:
        """These messages, or all of them if none are named."""
        with self._lock:
            self._messages = [message for message in self._messages if keys and message.key not in keys]
