"""Checks of the shell: would an AWS SDK started here reach this server, and with which key?

Owns the list of variables that defeat AWS_ENDPOINT_URL. A value that may be a secret is never shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from craton.cli.finding import Finding
from craton.cli.running import Place, local_url
from craton.config import Settings

SERVICE_ENDPOINTS = tuple(
    f"AWS_ENDPOINT_URL_{name}" for name in ("BEDROCK", "BEDROCK_RUNTIME", "BEDROCK_AGENT", "BEDROCK_AGENT_RUNTIME")
)
EVAL = 'eval "$(craton env)"'
_YES = {"1", "true", "yes", "on"}


def configured(settings: Settings) -> str:
    """Where a server of these settings would be."""
    table = settings.file.server
    return local_url("127.0.0.1", table.port, secure=bool(settings.file.tls.certificate))


def endpoint(place: Place, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where AWS's SDKs would send requests."""
    there = environ.get("AWS_ENDPOINT_URL", "")
    here = place.server.url if place.server else configured(place.settings)
    names = {here, here.replace("127.0.0.1", "localhost")}
    if not there:
        yield Finding("warning", "AWS_ENDPOINT_URL", "not set: programs started here would call AWS itself", EVAL)
    elif there.rstrip("/") in names:
        yield Finding("ok", "AWS_ENDPOINT_URL", f"points here ({there})")
    else:
        yield Finding("warning", "AWS_ENDPOINT_URL", f"points at {there}, not at {here}", EVAL)
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _YES:
        text = "makes AWS's SDKs ignore AWS_ENDPOINT_URL"
        yield Finding(
            "warning", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", text, unset("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        )
    for name in SERVICE_ENDPOINTS:
        if name in environ and environ[name].rstrip("/") not in names:
            yield Finding("warning", name, f"wins over AWS_ENDPOINT_URL and points at {environ[name]}", unset(name))


def keys(place: Place, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which key AWS's SDKs would sign with."""
    from craton.infra.keys.root import FILE_NAME

    given = environ.get("AWS_ACCESS_KEY_ID", "")
    if given and (place.server or (place.home / FILE_NAME).exists()):
        ours = {place.root_key().access_key_id, *(account.access_key for account in place.settings.file.account)}
        if given in ours:
            yield Finding("ok", "AWS_ACCESS_KEY_ID", "is a root key of this home")
        else:
            yield Finding("warning", "AWS_ACCESS_KEY_ID", f"{given} is no root key of this home", EVAL)
    if environ.get("AWS_SESSION_TOKEN"):
        text = "set: a root key has none, so requests signed with both are refused"
        yield Finding("warning", "AWS_SESSION_TOKEN", text, unset("AWS_SESSION_TOKEN"))
    if environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        text = "set: SDKs send it to Bedrock instead of signing. Fine if it is a key of `craton keys create`"
        yield Finding("warning", "AWS_BEARER_TOKEN_BEDROCK", text, f"otherwise {unset('AWS_BEARER_TOKEN_BEDROCK')}")
    if environ.get("AWS_PROFILE"):
        text = f"{environ['AWS_PROFILE']}: its own endpoints, region and keys may count, and it must exist"
        yield Finding("warning", "AWS_PROFILE", text, unset("AWS_PROFILE"))


def unset(name: str) -> str:
    return f"unset {name}"
