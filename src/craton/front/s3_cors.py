"""What pages from elsewhere may do with a bucket: the bucket's CORS rules against a request's headers.

Owns the matching of origins, methods and headers, and the `Access-Control-…` headers. Rules are dicts as the API gives
them; where they are kept is not known here. Pure. Source: "CORS configuration", S3 user guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from craton.aws.wire import s3_faults

Rules = list[dict[str, Any]]
Headers = list[tuple[bytes, bytes]]


def preflight(rules: Rules, headers: Mapping[bytes, bytes]) -> Headers:
    """The answer to an OPTIONS request; raises Fault for one that no rule allows, or that asks nothing."""
    origin = _text(headers, b"origin")
    method = _text(headers, b"access-control-request-method")
    if not origin:
        raise s3_faults.fault("BadRequest", "Insufficient information. Origin request header needed.")
    if not method:
        raise s3_faults.fault("BadRequest", "Invalid Access-Control-Request-Method: null")
    asked = [name.strip().lower() for name in _text(headers, b"access-control-request-headers").split(",")]
    asked = [name for name in asked if name]
    for rule in rules:
        if _fits(rule, origin, method) and all(_allows_header(rule, name) for name in asked):
            found = _allowed(rule, origin)
            if asked:
                found.append((b"access-control-allow-headers", ", ".join(asked).encode("latin-1", "replace")))
            if rule.get("MaxAgeSeconds") is not None:
                found.append((b"access-control-max-age", b"%d" % rule["MaxAgeSeconds"]))
            return found
    message = "This CORS request is not allowed." if rules else "CORS is not enabled for this bucket."
    raise s3_faults.fault("AccessForbidden", message, Method=method, ResourceType="OBJECT")


def simple(rules: Rules, method: str, headers: Mapping[bytes, bytes]) -> Headers:
    """What an answer says to the page that asked; nothing where no rule fits."""
    origin = _text(headers, b"origin")
    rule = next((one for one in rules if _fits(one, origin, method)), None)
    return [] if rule is None or not origin else _allowed(rule, origin)


def _allowed(rule: dict[str, Any], origin: str) -> Headers:
    anybody = "*" in rule.get("AllowedOrigins", ())
    found: Headers = [
        (b"access-control-allow-origin", b"*" if anybody else origin.encode("latin-1", "replace")),
        (b"access-control-allow-methods", ", ".join(rule.get("AllowedMethods", ())).encode()),
    ]
    exposed = rule.get("ExposeHeaders")
    if exposed:
        found.append((b"access-control-expose-headers", ", ".join(exposed).encode("latin-1", "replace")))
    if not anybody:
        found.append((b"access-control-allow-credentials", b"true"))
    found.append((b"vary", b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
    return found


def _fits(rule: dict[str, Any], origin: str, method: str) -> bool:
    return method in rule.get("AllowedMethods", ()) and any(
        _like(pattern, origin) for pattern in rule.get("AllowedOrigins", ())
    )


def _allows_header(rule: dict[str, Any], name: str) -> bool:
    return any(_like(pattern.lower(), name) for pattern in rule.get("AllowedHeaders", ()))


def _like(pattern: str, value: str) -> bool:
    """Whether a value fits a pattern with at most one star."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == value
    return len(value) >= len(before) + len(after) and value.startswith(before) and value.endswith(after)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1").strip()
