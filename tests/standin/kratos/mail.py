"""The courier: messages wait in the database until the SMTP server takes them."""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from .config import Config
from .database import Database, Transaction
from .identities import Record, shown, timestamp
from .log import Logger

_QUEUED, _SENT, _PROCESSING, _ABANDONED = 1, 2, 3, 4
_NAMES = {_QUEUED: "queued", _SENT: "sent", _PROCESSING: "processing", _ABANDONED: "abandoned"}
_PAGE = 10
_RETRIES = 5


def queue(transaction: Transaction, network: str, recipient: str, subject: str, body: str) -> None:
    now = timestamp()
    transaction.insert(
        "courier_messages",
        id=str(uuid4()),
        type=1,
        status=_QUEUED,
        recipient=recipient,
        subject=subject,
        body=body,
        nid=network,
        created_at=now,
        updated_at=now,
    )


def messages(database: Database, network: str, recipient: str | None) -> list[Record]:
    """What is queued and was sent, newest first, as GET /admin/courier/messages shows it in dev mode."""
    condition, values = ("AND recipient = ?", [recipient]) if recipient else ("", [])
    with database.transaction() as transaction:
        rows = transaction.rows(
            "SELECT id, status, recipient, subject, body, send_count, created_at FROM courier_messages"
            f" WHERE nid = ? {condition} ORDER BY created_at DESC LIMIT {_PAGE}",
            network,
            *values,
        )
    return [
        {
            "id": str(key),
            "status": _NAMES[status],
            "type": "email",
            "recipient": recipient,
            "subject": subject,
            "body": body,
            "send_count": tries,
            "created_at": shown(created),
        }
        for key, status, recipient, subject, body, tries, created in rows
    ]


class Courier(threading.Thread):
    """Sends what is queued, once a second, as `--watch-courier` and `courier watch` do."""

    def __init__(self, database: Database, network: str, config: Config, log: Logger) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._network = network
        self._config = config
        self._log = log

    def run(self) -> None:
        self._log.info("Courier worker started.")
        while True:
            try:
                self.send_queued()
            except self._database.errors as error:
                self._log.error("Courier worker failed to dispatch messages.", error={"message": str(error).strip()})
            time.sleep(1)

    def send_queued(self) -> None:
        with self._database.transaction() as transaction:
            waiting = transaction.rows(
                "SELECT id, recipient, subject, body, send_count FROM courier_messages"
                " WHERE nid = ? AND status = ? ORDER BY created_at",
                self._network,
                _QUEUED,
            )
            for key, *_ in waiting:
                transaction.run("UPDATE courier_messages SET status = ? WHERE id = ?", _PROCESSING, str(key))
        for message in waiting:
            self._send(*message)

    def _send(self, key: Any, recipient: str, subject: str, body: str, tries: int) -> None:
        try:
            self._deliver(recipient, subject, body)
            status = _SENT
        except OSError as error:
            self._log.error(
                "Unable to send email using SMTP connection.", error={"message": str(error)}, message_id=str(key)
            )
            status = _QUEUED if tries < _RETRIES else _ABANDONED
        with self._database.transaction() as transaction:
            transaction.run(
                "UPDATE courier_messages SET status = ?, send_count = ? WHERE id = ?", status, tries + 1, str(key)
            )

    def _deliver(self, recipient: str, subject: str, body: str) -> None:
        import smtplib  # slow to import, and only needed once there is mail
        from email.message import EmailMessage

        url = urlsplit(self._config.get("courier.smtp.connection_uri", ""))
        message = EmailMessage()
        message["From"] = self._config.get("courier.smtp.from_address")
        message["To"] = recipient
        message["Subject"] = subject
        message.set_content(body)
        options = parse_qs(url.query)
        connect = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
        with connect(url.hostname or "", url.port or 0, timeout=10) as smtp:
            if url.scheme == "smtp" and options.get("disable_starttls") != ["true"]:
                smtp.starttls()
            if url.username:
                smtp.login(unquote(url.username), unquote(url.password or ""))
            smtp.send_message(message)
