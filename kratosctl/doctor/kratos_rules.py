"""Rules over one environment: whether its Kratos serves, and what people trip over in a configuration of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kratosctl.catalog import CONTAINER_PORTS
from kratosctl.doctor.facts import EnvironmentFacts, KratosFacts
from kratosctl.doctor.finding import Finding
from kratosctl.kratos.config_dir import texts, value_at
from kratosctl.stack.compose import CONFIG_TARGET

_SHORTEST_SESSION = 60
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_INBOX = ("mail", 1025)
# its APIs, which it does have in its container
_ITS_OWN = (CONTAINER_PORTS["public"], CONTAINER_PORTS["admin"])
_THIS_HOST = ("localhost", "127.0.0.1", "::1")
_COOKIES = ("cookies", "session.cookie")
# keys whose address Kratos itself asks: of web hooks, of a mail service, of Hydra; of OpenID Connect providers
_ASKED = ("url", "issuer_url", "token_url", "mapper_url")

Rule = Callable[[EnvironmentFacts], Iterable[Finding]]


def kratos_ready(environment: EnvironmentFacts) -> Iterator[Finding]:
    if environment.ready == 503:
        yield Finding(
            "kratos-ready",
            "problem",
            f"{environment.name}: Kratos runs and says that it is not ready",
            "migrations are pending, or its database does not answer",
            f"kratosctl migrate {environment.name}",
        )


def services_run(environment: EnvironmentFacts) -> Iterator[Finding]:
    for one in environment.ended:
        yield Finding(
            "services",
            "problem",
            f"{environment.name}: {one.service} does not run: {one.how}",
            one.why,
            one.fix or f"kratosctl logs {environment.name} {one.service}, then kratosctl up {environment.name}",
        )


def edit_taken(environment: EnvironmentFacts) -> Iterator[Finding]:
    if environment.rejected:
        file = environment.kratos.file if environment.kratos else "its configuration"
        yield Finding(
            "configuration-rejected",
            "problem",
            f"{environment.name}: Kratos did not take the last edit of {file}, and goes on with what it had",
            environment.rejected,
            f"mend {file}, which Kratos reads again once it is saved; what cannot change while it runs needs"
            f" kratosctl restart {environment.name} kratos",
        )


def cookie_domain(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    for key in ("cookies.domain", "session.cookie.domain"):
        domain = value_at(kratos.configuration, key)
        if isinstance(domain, str) and domain and not _covers(domain, kratos.host):
            yield Finding(
                "cookie-domain",
                "problem",
                f"{environment}: {key} is {domain}, and Kratos is opened at {kratos.host}",
                "browsers drop cookies for another host",
                f"take {key} out of {kratos.file}, or open Kratos at a host of that domain",
            )


def cookie_same_site(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    # on localhost browsers take secure cookies without TLS; to Kratos it is a text
    secure = all(value_at(kratos.configuration, f"{of}.secure") in ("true", True) for of in _COOKIES)
    for of in _COOKIES if kratos.public.startswith("http://") and not secure else ():
        if value_at(kratos.configuration, f"{of}.same_site") == "None":
            yield Finding(
                "cookie-same-site",
                "problem",
                f"{environment}: {of}.same_site is None, and Kratos is opened by plain HTTP",
                "browsers drop such cookies there: nobody stays signed in but `verify`, which is no browser",
                f"take it out of {kratos.file}: pages at other ports of the same host need no such cookies",
            )


def base_url(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    url = value_at(kratos.configuration, "serve.public.base_url")
    if isinstance(url, str) and kratos.public and _origin(url) != _origin(kratos.public):
        yield Finding(
            "base-url",
            "warning",
            f"{environment}: serve.public.base_url is {_origin(url)}, and Kratos listens at {kratos.public}",
            "forms are sent there: right only where a proxy listens",
            f"take serve.public.base_url out of {kratos.file}, then kratosctl up {environment}",
        )


def database_named(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    # memory stands in every configuration of Ory's quickstart
    if value_at(kratos.configuration, "dsn") not in (None, "", "memory"):
        yield Finding(
            "database-named",
            "warning",
            f"{environment}: {kratos.file} names a database by dsn, which Kratos does not use here",
            "kratosctl gives it the database that was asked for",
            f"take dsn out of {kratos.file}; for that database export it as DSN, and say --database external",
        )


def mail_server(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    uri = value_at(kratos.configuration, "courier.smtp.connection_uri")
    where = _address(uri) if isinstance(uri, str) else None
    if where is None:
        return
    host, port = where
    what = ""
    if host in _THIS_HOST:
        what = f"is {host}, which is Kratos' own container"
    elif kratos.mail and host == _INBOX[0] and port != _INBOX[1]:
        what = f"is port {port} of the mail inbox, which listens on {_INBOX[1]}"
    elif kratos.mail and host == _INBOX[0] and not _speaks_plainly(str(uri)):
        what = "wants TLS of the mail inbox, which has none: smtp with ?disable_starttls=true"
    if what:
        yield Finding(
            "mail-server",
            "problem",
            f"{environment}: courier.smtp.connection_uri {what}",
            "no mail arrives; Kratos tries a few times and gives each up",
            f"take it out of {kratos.file}, then kratosctl up {environment}",
        )
    elif kratos.mail and host != _INBOX[0]:
        yield Finding(
            "mail-server",
            "warning",
            f"{environment}: courier.smtp.connection_uri is {host}, not the mail inbox, which stays empty",
            "what Kratos sends goes there: to real people, or nowhere",
            f"take it out of {kratos.file}, then kratosctl up {environment}; if it is meant, say --no-mail",
        )


def _speaks_plainly(uri: str) -> bool:
    """Whether Kratos sends without TLS: courier/smtp.go, since v1.0.0, by what Go's ParseBool takes for true."""
    parts = urlsplit(uri)
    said = parse_qs(parts.query).get("disable_starttls", [""])[0]
    return parts.scheme == "smtp" and said in ("1", "t", "T", "true", "TRUE", "True")


def pages(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    said = value_at(kratos.configuration, "serve.public.base_url")
    home = _host(said if isinstance(said, str) else kratos.public) or kratos.host
    flows = value_at(kratos.configuration, "selfservice.flows")
    urls = {name: value_at(flows, f"{name}.ui_url") for name in flows} if isinstance(flows, Mapping) else {}
    hosts = {name: _host(url) for name, url in urls.items() if isinstance(url, str)}
    away = [name for name, host in hosts.items() if host and host != home]
    if away and {home, *(hosts[name] for name in away)} & {*_THIS_HOST}:
        more = f", and {len(away) - 1} more" if len(away) > 1 else ""
        yield Finding(
            "pages",
            "warning",
            f"{environment}: the page of selfservice.flows.{away[0]}.ui_url{more} is at {hosts[away[0]]},"
            f" and its form goes to {home}",
            "to a browser these are two hosts: cookies of the one are not sent to the other, and forms fail (CSRF)",
            f"write {home} there, or take it out of {kratos.file}; then kratosctl up {environment}",
        )


def calls_itself(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    for key, url in texts(kratos.configuration):
        name = key.rpartition(".")[2]
        host, port = (_address(url) if name in _ASKED else None) or ("", 0)
        if host in _THIS_HOST and port not in _ITS_OWN:
            browsers = "; browsers go there, too: add 127.0.0.1 host.docker.internal to this host's /etc/hosts"
            yield Finding(
                "calls-itself",
                "problem",
                f"{environment}: {key} is at {host}, which is Kratos' own container",
                "nobody answers there: this host is host.docker.internal to containers",
                f"write that in {kratos.file}, and have what is called listen on more than 127.0.0.1"
                + (browsers if name == "issuer_url" else ""),
            )


def cross_origin(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    cors = value_at(kratos.configuration, "serve.public.cors")
    if not kratos.pages or not isinstance(cors, Mapping) or "allowed_origins" not in cors:
        return
    origins = cors["allowed_origins"] if isinstance(cors["allowed_origins"], list) else []
    absent = [page for page in kratos.pages if not any(_allows(str(origin), page) for origin in origins)]
    pages = " and ".join(absent or kratos.pages)
    what = f"a page of {pages} may not read what Kratos answers"
    if cors.get("enabled") is False:
        why, mend = "serve.public.cors is off", f"set serve.public.cors.enabled in {kratos.file} to true"
    elif "*" in origins:
        what, why = "CORS allows every origin", "browsers send no cookies then"
        mend = f"put {pages} in place of * in serve.public.cors.allowed_origins of {kratos.file}"
    elif absent:
        why = "serve.public.cors names other origins"
        mend = f"put {pages} into serve.public.cors.allowed_origins of {kratos.file}"
    else:
        return
    fix = f"{mend}, then kratosctl restart {environment} kratos"
    yield Finding("cross-origin", "warning", f"{environment}: {what}", why, fix)


def return_urls(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    allowed = value_at(kratos.configuration, "selfservice.allowed_return_urls")
    origins = {_origin(str(url)) for url in allowed} if isinstance(allowed, list) else {*kratos.pages}
    absent = " and ".join(page for page in kratos.pages if page not in origins)
    if absent:
        yield Finding(
            "return-urls",
            "warning",
            f"{environment}: selfservice.allowed_return_urls does not name {absent}",
            "Kratos sends nobody back there after signing in",
            f"put {absent} into selfservice.allowed_return_urls of {kratos.file}",
        )


def session_lifespan(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    lifespan = value_at(kratos.configuration, "session.lifespan")
    lasts = _seconds(lifespan) if isinstance(lifespan, str) else None
    if lasts is not None and lasts < _SHORTEST_SESSION:
        yield Finding(
            "session-lifespan",
            "warning",
            f"{environment}: session.lifespan is {lifespan}",
            "people are signed out before they have done anything",
            f"give it hours in {kratos.file}",
        )


def log_secrets(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    if value_at(kratos.configuration, "log.leak_sensitive_values") is True:
        yield Finding(
            "log-secrets",
            "warning",
            f"{environment}: log.leak_sensitive_values is on",
            "whoever reads the log can take over sessions: it holds cookies and tokens",
            f"switch it off in {kratos.file}, then kratosctl restart {environment} kratos",
        )


def files_named(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    folder = PurePath(kratos.file).parent
    for key, url in kratos.absent.items():
        name = url.removeprefix(f"file://{CONFIG_TARGET}/")
        if name != url:
            yield Finding(
                "files-named",
                "problem",
                f"{environment}: {key} names {name}, which is not in {folder}/",
                "Kratos opens some files only when somebody comes that far, who then gets an error",
                f"put it there, or correct {kratos.file}",
            )
        else:
            yield Finding(
                "files-named",
                "warning",
                f"{environment}: {key} is {url}, where Kratos' container has nothing of {folder}/",
                f"that is {CONFIG_TARGET} in it; all else is there only where compose.override.yaml mounts it",
                f"write file://{CONFIG_TARGET}/{PurePath(url).name} in {kratos.file}",
            )


def identity_schema(environment: str, kratos: KratosFacts) -> Iterator[Finding]:
    for name, schema in kratos.schemas.items():
        traits = value_at(schema, "properties.traits") if isinstance(schema, Mapping) else None
        for what, why in _schema_faults(traits, _wants_identifier(kratos)) if isinstance(traits, Mapping) else ():
            at = f"{environment}: {name} {what}"
            yield Finding("identity-schema", "problem", at, why, f"mend {name} beside {kratos.file}")


def _wants_identifier(kratos: KratosFacts) -> bool:
    """Whether people sign in with something they type; a provider's word needs none."""
    methods = value_at(kratos.configuration, "selfservice.methods")
    return value_at(methods, "password.enabled") is not False or bool(value_at(methods, "code.passwordless_enabled"))


def _schema_faults(traits: Mapping[str, Any], wants_identifier: bool) -> Iterator[tuple[str, str]]:
    known, required = traits.get("properties"), traits.get("required")
    if isinstance(known, Mapping) and isinstance(required, list) and traits.get("additionalProperties") is False:
        for name in required:
            if name not in known:
                yield f"requires {name}, and describes no such trait", "no form asks for it: nobody can sign up"
    if wants_identifier and not _has_identifier(traits):
        yield "marks no trait as an identifier", "there is nothing people could sign in with"


def _has_identifier(schema: Any) -> bool:
    """Whether a trait, however deep, is what people sign in with; wherever Kratos' own key stands."""
    if isinstance(schema, Mapping):
        said = schema.get("ory.sh/kratos")
        methods = said.get("credentials") if isinstance(said, Mapping) else None
        for method in methods.values() if isinstance(methods, Mapping) else ():
            if isinstance(method, Mapping) and (method.get("identifier") or method.get("display_name")):
                return True
        return any(_has_identifier(below) for below in schema.values())
    return isinstance(schema, list) and any(_has_identifier(below) for below in schema)


def _covers(domain: str, host: str) -> bool:
    bare = domain.lstrip(".").lower()
    return host.lower() == bare or host.lower().endswith("." + bare)


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # what stands before an @ may be a password
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _allows(pattern: str, origin: str) -> bool:
    """Whether an allowed origin, which may hold one asterisk, means this one."""
    before, star, after = pattern.rstrip("/").partition("*")
    return origin == before if not star else origin.startswith(before) and origin.endswith(after)


def _address(uri: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(uri)
        port = parts.port or 0
    except ValueError:
        return None
    return parts.hostname or "", port


def _seconds(duration: str) -> float | None:
    """The seconds of a duration as Go writes it: 1h30m; None where it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", duration)
    whole = "".join(number + unit for number, unit in parts) == duration
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts and whole else None


def _of(rule: Callable[[str, KratosFacts], Iterable[Finding]]) -> Rule:
    """A rule over a configuration, which environments without one of their own keep."""
    return lambda environment: rule(environment.name, environment.kratos) if environment.kratos else ()


KRATOS_RULES: tuple[Rule, ...] = (
    kratos_ready,
    services_run,
    edit_taken,
    _of(cookie_domain),
    _of(cookie_same_site),
    _of(base_url),
    _of(database_named),
    _of(mail_server),
    _of(pages),
    _of(calls_itself),
    _of(cross_origin),
    _of(return_urls),
    _of(session_lifespan),
    _of(log_secrets),
    _of(files_named),
    _of(identity_schema),
)


def findings(environment: EnvironmentFacts) -> list[Finding]:
    """What these rules find in one environment, in their order."""
    return [finding for rule in KRATOS_RULES for finding in rule(environment)]
