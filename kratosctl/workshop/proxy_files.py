"""What the TLS proxy of a workshop is made from: its Caddyfile and its Compose project. Pure.

Caddy's directives: https://caddyserver.com/docs/caddyfile (run with 2.6.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kratosctl import fragments
from kratosctl.files.workspace import AUTHORITY
from kratosctl.stack.labels import LABEL

SERVICE = "proxy"
# inside of its container
_AUTHORITY = "/authority"
_SOCKET = "unix//tmp/caddy.sock"
CERTIFICATE = "authority.crt"  # as attendees get it
# Caddy's own 12 h end while a laptop sleeps, and it looks for that every ten minutes; its signer's are seven days
_LIFETIME = "144h"


@dataclass(frozen=True)
class Front:
    """Where attendees come in.

    Attributes:
        host: the name or address in what they open.
        bind: the address of this host that the proxy listens at.
        ports: those of the seats: each is passed on to the same port of 127.0.0.1.
        certificate_port: where the authority's certificate is to be had, in plain HTTP.
    """

    host: str
    bind: str
    ports: Sequence[int]
    certificate_port: int

    @property
    def certificate(self) -> str:
        """The address of the authority's certificate."""
        return f"http://{self.host}:{self.certificate_port}/{CERTIFICATE}"


def caddyfile(workshop: str, front: Front) -> str:
    """The proxy's configuration.

    Args:
        workshop: what the workshop is called; the authority bears its name.
        front: where attendees come in.
    """
    named = "".join(letter for letter in workshop if letter.isalnum() or letter in " -_.")[:60].strip() or "workshop"
    sites = "".join(
        f"https://{front.host}:{port} {{\n\timport front\n\treverse_proxy 127.0.0.1:{port}\n}}\n"
        for port in sorted(front.ports)
    )
    # a browser names no host where it was given an address
    return f"""\
# Made by kratosctl.
{{
	admin {_SOCKET}
	skip_install_trust
	local_certs
	auto_https disable_redirects
	default_sni {front.host}
	storage file_system {_AUTHORITY}
	pki {{
		ca local {{
			name "{named}"
			root_cn "{named}, made by kratosctl"
		}}
	}}
}}
(front) {{
	bind {front.bind}
	tls {{
		issuer internal {{
			lifetime {_LIFETIME}
		}}
	}}
}}
http://:{front.certificate_port} {{
	bind {front.bind}
	handle /{CERTIFICATE} {{
		root * /{AUTHORITY.rpartition("/")[0]}
		rewrite * /{AUTHORITY.rpartition("/")[2]}
		header Content-Type application/x-x509-ca-cert
		file_server
	}}
	handle {{
		respond 404
	}}
}}
{sites}"""


def variables(image: str, user: str, home: Path) -> dict[str, str]:
    """The variables that compose/proxy.yaml reads, by name.

    Args:
        image: of Caddy.
        user: `uid:gid` it runs as.
        home: the proxy's generated directory.
    """
    return {
        "PROXY_IMAGE": image,
        "PROXY_USER": user,
        "PROXY_DIR": str(home / "proxy"),
        "PROXY_AUTHORITY_DIR": str(home / "authority"),
    }


def compose_model(project: str, image: str, user: str, home: Path) -> dict[str, Any]:
    """The proxy's Compose project as data.

    Args:
        project: the Compose project.
        image: of Caddy.
        user: `uid:gid` it runs as.
        home: the proxy's generated directory, two below that of workshop.yaml.
    """
    model: dict[str, Any] = fragments.interpolate(fragments.compose_fragment("proxy"), variables(image, user, home))
    service = model["services"][SERVICE]
    revision = hashlib.sha256(repr(service).encode()).hexdigest()[:16]
    service["labels"] = {
        LABEL + "environment": home.name,
        LABEL + "directory": str(home.parent.parent).replace("$", "$$"),
        LABEL + "revision": revision,
    }
    return {"name": project, **model}


def reload() -> list[str]:
    """The command, run in its container, that makes a running proxy take a new configuration, losing no request."""
    return ["caddy", "reload", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile", "--address", _SOCKET]
