"""The frozen model of an environment, made from answers; impossible combinations are refused here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kratosctl import catalog, fragments, questions, urls
from kratosctl.errors import ChoiceImpossible, FloatingTag


@dataclass(frozen=True)
class Environment:
    """What was asked for. Ports are TCP ports of this host; None: chosen, or (admin, PostgreSQL) not published."""

    name: str
    preset: str
    database: str
    release: str
    variant: str
    ui: bool
    mail: bool
    public_port: int | None
    app_url: str | None
    admin_port: int | None
    ui_port: int | None
    mail_port: int | None
    postgres_port: int | None
    config_dir: str | None
    config: str
    seed: str | None
    platform: str | None
    kratos_image: str
    postgres_image: str
    ui_image: str
    mail_image: str
    proxy_image: str
    subnets: str | None
    host: str
    bind: str
    https: bool
    expose_admin_without_authentication: bool
    allow_floating_tag: bool

    @property
    def facts(self) -> catalog.Release:
        """What the release can do."""
        return catalog.newest_matching(self.release)

    @property
    def migrates(self) -> bool:
        """The tables of a memory DSN live in the process: there is nothing to migrate before serve."""
        return self.database != "memory"

    @property
    def admin_bind(self) -> str:
        """The admin API has no authentication: it stays on loopback unless the flag that names the risk is given."""
        exposed = self.expose_admin_without_authentication and not self.https
        return self.bind if exposed else "127.0.0.1"

    @property
    def addresses(self) -> dict[str, str]:
        """The address of this host that each port is published at, by the port's name.

        Where a TLS proxy listens at `bind`, nothing but the proxy can reach what it stands before.
        """
        page = "127.0.0.1" if self.https else self.bind
        return {"public": page, "admin": self.admin_bind, "ui": page, "mail": page, "postgres": "127.0.0.1"}

    @property
    def admin_is_reached(self) -> bool:
        """Whether people who reach the pages reach the admin API, too."""
        together = self.admin_bind == self.bind or not urls.beyond_host(self.bind, self.https)
        return self.admin_port is not None and together

    @property
    def guards_inbox(self) -> bool:
        """Whether the mail inbox asks for a password: the codes in it open accounts, and others could come to it."""
        return self.mail and urls.beyond_host(self.bind, self.https)

    def url(self, name: str, port: int) -> str:
        """The address that people open for a port of this host, by the port's name."""
        return urls.of_port(name, port, self.host_of(name), self.https)

    def host_of(self, name: str) -> str:
        """The host name in the address of a port, by the port's name."""
        return urls.host_of(name, self.host, self.addresses[name], urls.beyond_host(self.bind, self.https))


def from_answers(name: str, answers: Mapping[str, Any]) -> Environment:
    """Makes the model from answers, filling in defaults.

    Args:
        name: the environment's name.
        answers: values by key of `questions.QUESTIONS`; missing ones take their default.

    Raises:
        NameInvalid, ConfigurationInvalid: a name or value that does not fit.
        FloatingTag: `latest` or no tag, without allow_floating_tag.
        ChoiceImpossible: values that cannot work together, with the ways out.
    """
    values = {q.key: q.default for q in questions.QUESTIONS} | {
        key: value for key, value in answers.items() if value is not None
    }
    suits = fragments.presets()["presets"][values["preset"]]
    for page in ("ui", "mail"):
        if answers.get(page) is None:
            values[page] = suits[page]
    image = values["kratos_image"]
    if image and catalog.is_distroless(image) and answers.get("variant") is None:
        values["variant"] = "distroless"
    values["release"] = values["release"] or (image and catalog.release_of_reference(image)) or catalog.NEWEST.tag
    values["kratos_image"] = image or catalog.kratos_reference(values["release"], values["variant"])
    values["postgres_image"] = values["postgres_image"] or catalog.POSTGRES_IMAGE
    values["mail_image"] = values["mail_image"] or catalog.MAIL_IMAGE
    values["proxy_image"] = values["proxy_image"] or catalog.PROXY_IMAGE
    values["ui_image"] = values["ui_image"] or f"{catalog.UI_REPOSITORY}:{_ui_tag(values['release'])}"
    environment = Environment(name=questions.check_name(name), **values)
    _refuse_floating(environment)
    reason = reason_against(values)
    if reason:
        raise ChoiceImpossible(*reason)
    return environment


def reason_against(now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why answers cannot work together: what, why and the ways out; None where they can, as far as they are given.

    The prompts show the `why` beside a disabled choice; flags and files are refused with all three.
    """
    other = _image_is_another(now)
    if other:
        return other
    if now.get("variant") == "distroless":
        if now.get("database") in ("sqlite", "memory"):
            named = "SQLite" if now["database"] == "sqlite" else "a memory database, which is SQLite"
            return (
                f"the distroless image cannot use {named}",
                "SQLite is not compiled into distroless images",
                "use --variant default, or --database postgres",
            )
        if now.get("platform") and now["platform"] not in catalog.ARCHITECTURES["distroless"]:
            return _no_platform(now["platform"], "distroless")
    elif now.get("platform") and now["platform"] not in catalog.ARCHITECTURES["default"]:
        return _no_platform(now["platform"], "default")
    release = now.get("release") or catalog.NEWEST.tag
    preset = now.get("preset")
    since = fragments.presets()["presets"][preset]["since"] if preset else "v1"
    if catalog.version_key(catalog.newest_matching(release).tag) < catalog.version_key(since):
        return (
            f"preset {preset} does not work on Kratos {release}",
            f"{preset} needs {since} or newer",
            f"use --release {catalog.NEWEST.tag}, or another --preset",
        )
    return _app_is_elsewhere(now) or (_no_passkeys(now) if now.get("preset") == "passkey" else None)


def _app_is_elsewhere(now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why an application gets none of Kratos' cookies: browsers keep them by host, whatever the port."""
    if not now.get("app_url"):
        return None
    theirs, host = re.sub(r"^https?://|:\d+$", "", now["app_url"]), (now.get("host") or "localhost").lower()
    # names of one domain may share cookies, as the configuration says
    if theirs == host or not {theirs, host} & {"localhost", "127.0.0.1", "[::1]"}:
        return None
    return (
        f"the application is at {theirs}, and Kratos at {host}",
        "to a browser these are two hosts: cookies of the one are not sent to the other, and forms fail (CSRF)",
        f"use --app-url {now['app_url'].replace(theirs, host, 1)}, or --host {theirs}",
    )


def _no_passkeys(now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why no browser makes a passkey for these addresses."""
    host = now.get("host") or "localhost"
    if _is_address(host):
        # by TLS people come from other machines, whose localhost is another
        name = "a name of this host" if now.get("https") else "--host localhost, or by TLS a name of this host"
        fix = f"use {name}: --host teacher.local"
        return ("passkeys need a host name", "browsers refuse them on an IP address", fix)
    if host != "localhost" and not host.endswith(".localhost") and not now.get("https"):
        return (
            f"passkeys do not work on http://{host}",
            "browsers make them on localhost, or by TLS",
            "use --host localhost, --https behind a TLS proxy, or for a class --reach tls",
        )
    return None


def _image_is_another(now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why the image is not of the variant or release that was asked for; what it can do would be misjudged."""
    image, variant, release = now.get("kratos_image"), now.get("variant"), now.get("release")
    if not image:
        return None
    if variant == "default" and catalog.is_distroless(image):
        return (
            f"{image} is a distroless image",
            "the variant is default, whose health check and database it lacks",
            "use --variant distroless, or an image without -distroless",
        )
    named = catalog.release_of_reference(image) if catalog.is_official(image) else None
    if named and release and release != "latest" and not _same_release(named, release):
        return (f"{image} is not Kratos {release}", "its tag names another release", f"use --release {named}")
    return None


def _same_release(one: str, other: str) -> bool:
    """v1.3 and v1.3.1 can be the same."""
    return all(a == b for a, b in zip(catalog.version_key(one), catalog.version_key(other), strict=False))


def _no_platform(platform: str, variant: str) -> tuple[str, str, str]:
    built = ", ".join(catalog.ARCHITECTURES[variant])
    other = " or --variant default" if platform in catalog.ARCHITECTURES["default"] else ""
    return (
        f"there is no {variant} image for {platform}",
        f"it is built for {built}",
        f"use one of these{other}",
    )


def _is_address(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _ui_tag(release: str) -> str:
    return catalog.newest_matching(release).tag if not catalog.is_floating(release) else catalog.NEWEST.tag


def _refuse_floating(environment: Environment) -> None:
    if environment.release == "latest" and not environment.allow_floating_tag:
        raise FloatingTag(
            "release 'latest' is refused",
            "latest changes without notice: migrations and configuration would change with it",
            f"use --release {catalog.NEWEST.tag}, or accept the risk with --allow-floating-tag",
        )
    images = [environment.kratos_image]
    images += [environment.postgres_image] if environment.database == "postgres" else []
    images += [environment.ui_image] if environment.ui else []
    images += [environment.mail_image] if environment.mail else []
    images += [environment.proxy_image] if environment.https else []
    for image in images:
        catalog.check_reference(image, environment.allow_floating_tag)
