"""The part of Kratos' configuration schema that people get wrong: required keys, unknown keys, lengths, types."""

from __future__ import annotations

from .jsonschema import Schema
from .release import Release

_ANY: Schema = {}
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}


def for_release(release: Release) -> Schema:
    known = (
        "database dsn oauth2_provider preview tracing log hashers ciphers version dev help sqa-opt-out "
        "watch-courier expose-metrics-port config clients feature_flags organizations"
    )
    newer = "security" if release.since("v1.3.0") else ""
    return _closed(
        f"{known} {newer}",
        required="identity dsn selfservice",
        dsn=_TEXT,
        version=_TEXT,
        selfservice=_selfservice(release),
        secrets=_secrets(release),
        identity=_identity(),
        serve=_closed("", public=_listener("cors"), admin=_listener("")),
        courier=_courier(release),
        cookies=_closed("domain path same_site" + (" secure" if release.since("v25.4.0") else "")),
        session=_closed("whoami lifespan earliest_possible_extend", cookie=_session_cookie(release)),
    )


def _selfservice(release: Release) -> Schema:
    login = "after before lifespan ui_url" + (" style" if release.since("v1.3.0") else "")
    registration = "after before lifespan login_hints ui_url"
    if release.since("v1.2.0"):
        registration += " enable_legacy_one_step"
    if release.since("v25.4.0"):
        registration += " style"
    mailed = _closed("after before lifespan notify_unknown_recipients ui_url use", enabled=_FLAG)
    flows = _closed(
        "",
        settings=_closed("after before lifespan privileged_session_max_age required_aal ui_url"),
        logout=_closed("after"),
        registration=_closed(registration, enabled=_FLAG),
        login=_closed(login),
        verification=mailed,
        recovery=mailed,
        error=_closed("ui_url"),
    )
    names = "profile link code password totp lookup_secret webauthn oidc"
    if release.since("v1.2.0"):
        names += " b2b passkey"
    method: Schema = {"type": "object", "properties": {"enabled": _FLAG}}
    methods = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(names.split(), method)}
    return _closed(
        "allowed_return_urls",
        required="default_browser_return_url",
        default_browser_return_url=_TEXT,
        flows=flows,
        methods=methods,
    )


def _secrets(release: Release) -> Schema:
    def list_of(text: Schema) -> Schema:
        return {"type": "array", "items": _TEXT | text}

    secrets = _closed(
        "",
        default=list_of({"minLength": 16}),
        cookie=list_of({"minLength": 16}),
        cipher=list_of({"minLength": 32, "maxLength": 32}),
    )
    if release.since("v25.4.0"):
        secrets["properties"]["pagination"] = list_of({"minLength": 16})
    return secrets


def _identity() -> Schema:
    item = _closed("selfservice_selectable", required="id url", id=_TEXT, url=_TEXT)
    schemas = {"type": "array", "minItems": 1, "items": item}
    return _closed("", required="schemas", default_schema_id=_TEXT, schemas=schemas)


def _listener(extra: str) -> Schema:
    return _closed(f"request_log base_url host socket tls {extra}", port={"type": "integer"})


def _courier(release: Release) -> Schema:
    smtp_keys = "from_address from_name headers client_cert_path client_key_path local_name"
    required = "" if release.since("v1.2.0") else "connection_uri"
    smtp = _closed(smtp_keys, required=required, connection_uri={"type": "string", "format": "uri"})
    keys = "templates template_override_path message_retries worker delivery_strategy http channels"
    return _closed(keys if release.since("v25.4.0") else f"{keys} sms", smtp=smtp)


def _session_cookie(release: Release) -> Schema:
    return _closed("domain persistent path same_site" + (" secure" if release.since("v25.4.0") else ""), name=_TEXT)


def _closed(names: str = "", *, required: str = "", **described: Schema) -> Schema:
    """An object that allows no keys but the ones named, some of them described further."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": dict.fromkeys(names.split(), _ANY) | described,
    }
