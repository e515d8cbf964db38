"""The addresses that people open."""

from __future__ import annotations

# what the TLS proxy stands before; the admin API and PostgreSQL stay on this host
PROXIED = ("public", "ui", "mail")


def of_port(name: str, port: int, host: str, https: bool) -> str:
    """The address of one port.

    Args:
        name: public, admin, ui or mail.
        port: TCP port of this host.
        host: the host name or address in it.
        https: people come by a TLS proxy.
    """
    return f"{'https' if https and name in PROXIED else 'http'}://{host}:{port}"
