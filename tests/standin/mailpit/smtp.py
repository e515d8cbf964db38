"""As much of SMTP as it takes to receive mail."""

from __future__ import annotations

import re
import socketserver
from collections.abc import Callable

Deliver = Callable[[list[str], bytes], None]

_ADDRESS = re.compile(rb"<([^>]*)>")


def server(port: int, deliver: Deliver) -> socketserver.ThreadingTCPServer:
    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self.reply("220 stand-in for Mailpit")
            while line := self.rfile.readline():
                verb = line.split(b":")[0].split()[0].upper() if line.split() else b""
                if verb in {b"EHLO", b"HELO"}:
                    self.reply("250 stand-in for Mailpit")
                elif verb == b"RCPT":
                    recipients += [address.decode() for address in _ADDRESS.findall(line)]
                    self.reply("250 OK")
                elif verb == b"DATA":
                    self.reply("354 Go ahead")
                    deliver(recipients, self.read_data())
                    recipients = []
                    self.reply("250 OK")
                elif verb in {b"MAIL", b"RSET", b"NOOP"}:
                    recipients = []
                    self.reply("250 OK")
                elif verb == b"QUIT":
                    self.reply("221 Bye")
                    return
                else:
                    self.reply("502 Not implemented")

        def read_data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b".\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def reply(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    return Server(("0.0.0.0", port), Session)
