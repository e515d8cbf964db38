"""The addresses that people open."""

from __future__ import annotations

# what the TLS proxy stands before; the admin API and PostgreSQL stay on this host
PROXIED = ("public", "ui", "mail")
LOOPBACK = ("127.0.0.1", "::1")


def beyond_host(bind: str, https: bool) -> bool:
    """Whether pages are reached from other machines.

    Args:
        bind: the address of this host they listen at.
        https: people come by a TLS proxy.
    """
    return https or bind not in LOOPBACK


def host_of(name: str, host: str, bound: str, beyond: bool) -> str:
    """The host name in the address of one port: what other machines call this host is no name for loopback.

    Args:
        name: public, admin, ui, mail or postgres.
        host: what people who open the pages call this host.
        bound: the address it listens at.
        beyond: pages are reached from other machines.
    """
    return "localhost" if beyond and name not in PROXIED and bound in LOOPBACK else host


def of_port(name: str, port: int, host: str, https: bool) -> str:
    """The address of one port.

    Args:
        name: public, admin, ui or mail.
        port: TCP port of this host.
        host: the host name or address in it.
        https: people come by a TLS proxy.
    """
    return f"{'https' if https and name in PROXIED else 'http'}://{host}:{port}"
